"""How Keras, PyTorch, Optax and TensorFlow 1 spell the rules: a file a framework and direction."""

from typing import Any

from ravine.errors import InvalidArgument, unknown
from ravine.frameworks.spelling import read_rule
from ravine.frameworks.translate import (
    read_keras,
    read_legacy,
    read_optax,
    read_schedules,
    read_tf1,
    read_torch,
)
from ravine.frameworks.translate.call import Call, Other, lifted, parse
from ravine.frameworks.translate.read_chain import read_chain
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import Scheduled

READERS = {
    "keras": read_keras.READERS,
    "torch": read_torch.READERS,
    "optax": read_optax.READERS,
    "tf1": read_tf1.READERS,
}
# How their names begin; what is between is not looked at.
_STARTS = {
    "keras": (
        "keras.",
        "tf.keras.",
        "tf_keras.",
        "tensorflow.keras.",
        "tf.optimizers.",
        "optimizers.",
    ),
    "torch": ("torch.", "optim.", "lr_scheduler."),
    "optax": ("optax.",),
    "tf1": ("tf.train.", "tf.compat.v1.train.", "tensorflow.compat.v1.train.", "tf.contrib.opt."),
}


def read(text: str) -> tuple[str, Rule]:
    """The framework of a line of code, and what rule that is; ``"ravine"`` for a rule's own text.

    Lines before the last may name its schedule, or the optimizer of a scheduler.

    >>> read("torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)")[1]
    Momentum(learning_rate=0.1, momentum=0.9, dampening=0.0)
    >>> print(read("s = optax.cosine_decay_schedule(0.1, 50); optax.sgd(s)")[1])
    scheduled(sgd(learning_rate=0.1), steps=50)
    """
    call = parse(text)
    framework = next((f for f, starts in _STARTS.items() if call.name.startswith(starts)), None)
    short = call.name.rpartition(".")[2]
    if "lr_scheduler" in call.name or (framework is None and short in read_schedules.TORCH):
        return "torch", _stepped(call)
    if framework is None:
        return "ravine", _own(text)
    return framework, _read(framework, call)


def schedulers_in(text: str) -> bool:
    """Whether a text has one of PyTorch's schedulers, which somebody has to step."""
    call = parse(text)
    return "lr_scheduler" in call.name or call.name in read_schedules.TORCH


def _read(framework: str, call: Call) -> Rule:
    short = call.name.rpartition(".")[2]
    if framework == "optax" and short == "chain":
        if call.named:
            raise unknown("argument of optax.chain", next(iter(call.named)), ["*args"])
        return read_chain(call.arguments)
    readers = READERS[framework]
    if framework == "keras" and ("legacy" in call.name.split(".") or "decay" in call.named):
        readers = read_legacy.READERS
    if short not in readers:
        raise unknown(f"optimizer of {framework}", short, readers)
    if framework == "torch":
        call = _without_params(call)
    known = {"keras": read_schedules.KERAS, "optax": read_schedules.OPTAX}.get(framework, {})
    call, options = lifted(call, known, read_schedules.curve)
    reader = readers[short]
    rule = reader(**call.bound(reader))
    if options and isinstance(rule, Scheduled):
        raise InvalidArgument(f"{call.name}: decay and a schedule are both given: give one of them")
    return Scheduled(rule, **options) if options else rule


def _stepped(call: Call) -> Rule:
    """The optimizer that one of PyTorch's schedulers is given, under that schedule."""
    named = {name: value for name, value in call.named.items() if name != "optimizer"}
    by_name = [call.named["optimizer"]] if "optimizer" in call.named else []
    given, *others = [*by_name, *call.arguments] or [None]
    if not isinstance(given, Call) or not given.name.startswith(_STARTS["torch"]):
        raise InvalidArgument(
            f"{call.name}: which optimizer is {given}? Write it before the scheduler: "
            f"optimizer = torch.optim.SGD(params, lr=0.1); {call.name}(optimizer, …)"
        )
    rule = _read("torch", given)
    rate = rule.learning_rate
    found = read_schedules.curve(Call(call.name, tuple(others), named), read_schedules.TORCH, rate)
    return Scheduled(rule, **found.options) if found.options else rule


def _own(text: str) -> Rule:
    try:
        return read_rule(text.replace("ravine.", ""))
    except InvalidArgument as error:
        error.add_note(
            "a native is written with its framework: keras.optimizers.Adam, torch.optim.Adam, "
            "optax.adam, tf.train.AdamOptimizer"
        )
        raise


def _without_params(call: Call) -> Call:
    """PyTorch's optimizers take what they train first, which is no matter here."""
    arguments = call.arguments
    if arguments and not isinstance(arguments[0], int | float):
        arguments = arguments[1:]
    given = [*call.arguments[: len(call.arguments) - len(arguments)], call.named.get("params")]
    for params in given:
        if _may_be_groups(params):
            text = f"{params.name}(…)" if isinstance(params, Call) else str(params)
            raise InvalidArgument(
                f"{call.name}: {text} may be parameter groups, and params in groups are not "
                "translated: translate one optimizer for each group, and write params in its place"
            )
    named = {name: value for name, value in call.named.items() if name != "params"}
    return Call(call.name, arguments, named)


# What passes parameters on as they are.
_PASSING = {"list", "tuple", "iter", "filter", "chain", "parameters", "named_parameters"}


def _may_be_groups(params: Any) -> bool:
    """Whether what stands for the parameters is, or is named like, groups of them."""
    if isinstance(params, Call):
        short = params.name.rpartition(".")[2]
        return short not in _PASSING or any(map(_may_be_groups, params.arguments))
    if isinstance(params, list | tuple | dict):
        return True
    if not isinstance(params, Other):
        return False
    words = ("{", "group", "dict", "decay")
    return any(word in params.text.lower() for word in words)
