"""How Keras, PyTorch, Optax and TensorFlow 1 spell the rules: a file a framework and direction."""

from ravine.errors import WrongCall, unknown
from ravine.frameworks.natives import read_keras, read_optax, read_tf1, read_torch
from ravine.frameworks.natives.call import Call, Other, parse
from ravine.frameworks.spelling import read_rule
from ravine.update_rule import Rule

READERS = {
    "keras": read_keras.READERS,
    "torch": read_torch.READERS,
    "optax": read_optax.READERS,
    "tf1": read_tf1.READERS,
}
# How their names begin; what is between is not looked at.
_STARTS = {
    "keras": ("keras.", "tf.keras.", "tensorflow.keras.", "tf.optimizers.", "optimizers."),
    "torch": ("torch.", "optim."),
    "optax": ("optax.",),
    "tf1": ("tf.train.", "tf.compat.v1.train.", "tensorflow.compat.v1.train.", "tf.contrib.opt."),
}


def read(text: str) -> tuple[str, Rule]:
    """The framework of a line of code, and what rule that is; ``"ravine"`` for a rule's own text.

    >>> read("torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)")[1]
    Momentum(learning_rate=0.1, momentum=0.9, dampening=0.0)
    """
    call = parse(text)
    framework = next((f for f, starts in _STARTS.items() if call.name.startswith(starts)), None)
    if framework is None:
        return "ravine", _own(text)
    if "legacy" in call.name.split("."):
        raise WrongCall(f"{call.name} is Keras 2's, other arithmetic in places: it is not read")
    short = call.name.rpartition(".")[2]
    if framework == "optax" and short == "chain":
        if call.named:
            raise unknown("argument of optax.chain", next(iter(call.named)), ["*args"])
        return framework, read_optax.read_chain(call.arguments)
    if short not in READERS[framework]:
        raise unknown(f"optimizer of {framework}", short, READERS[framework])
    if framework == "torch":
        call = _without_params(call)
    reader = READERS[framework][short]
    return framework, reader(**call.bound(reader))


def _own(text: str) -> Rule:
    try:
        return read_rule(text.replace("ravine.", ""))
    except WrongCall as error:
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
    if any(isinstance(x, list) or (isinstance(x, Other) and "{" in x.text) for x in given):
        raise WrongCall("params in groups are not translated: each group is its own optimizer")
    named = {name: value for name, value in call.named.items() if name != "params"}
    return Call(call.name, arguments, named)
