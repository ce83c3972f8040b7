"""Every public method, group word and scheduler of PyTorch's optimizers, on ours and a native.

Introspection compares what is listed here with PyTorch: what a newer version adds fails until
somebody decides what it does here.
"""

import copy
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

import ravine
from ravine.errors import InvalidArgument
from ravine.frameworks.groups import NATIVE
from ravine.frameworks.torch import to_torch
from ravine.frameworks.translate import read

Make = Callable[[Any], torch.optim.Optimizer]


@pytest.fixture(autouse=True, scope="module")
def _float64() -> Iterator[None]:
    """PyTorch's own NAdam keeps its running product in the default type."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(before)


def weights() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.tensor([0.5, -0.25])), torch.nn.Parameter(torch.ones(3))]


def pull(params: list[torch.nn.Parameter], t: int) -> None:
    draw = np.random.default_rng(t)
    for p in params:
        p.grad = torch.tensor(draw.normal(size=p.shape))


def walk(make: Make, group: dict[str, Any] | None = None, steps: int = 8) -> Any:
    """Where two weights are after each step, the first in a group of its own."""
    params = weights()
    groups: list[dict[str, Any]] = [{"params": params[:1], **(group or {})}, {"params": params[1:]}]
    optimizer = make(groups)
    path = []
    for t in range(steps):
        pull(params, t)
        optimizer.step()
        path.append(torch.cat([p.detach().clone() for p in params]).numpy())
    return np.array(path)


# --- the words of groups ------------------------------------------------------------------------

FAMILIES = {
    "SGD": "torch.optim.SGD(params, lr=0.05, momentum=0.5)",
    "Adagrad": "torch.optim.Adagrad(params, lr=0.05, eps=0.125)",
    "RMSprop": "torch.optim.RMSprop(params, lr=0.05, eps=0.125, momentum=0.5)",
    "Adam": "torch.optim.Adam(params, lr=0.05, eps=0.125)",
    "AdamW": "torch.optim.AdamW(params, lr=0.05, eps=0.125)",
    "NAdam": "torch.optim.NAdam(params, lr=0.05, eps=0.125)",
}
# A value that is felt, for every word that the optimizers of these families take.
VALUES: dict[str, Any] = {
    "lr": 0.2,
    "momentum": 0.75,
    "dampening": 0.5,
    "weight_decay": 0.5,
    "nesterov": True,
    "lr_decay": 0.5,
    "initial_accumulator_value": 0.25,
    "eps": 0.5,
    "alpha": 0.5,
    "centered": True,
    "betas": (0.5, 0.75),
    "amsgrad": True,
    "momentum_decay": 0.25,
    "decoupled_weight_decay": True,
    "maximize": True,
    "foreach": False,
    "fused": None,
    "capturable": True,
    "differentiable": True,
}
# What no group of ours can say, as the rule would be another.
REFUSED = {
    *(("SGD", name) for name in ("nesterov", "differentiable")),
    *(("Adagrad", name) for name in ("lr_decay", "differentiable")),
    *(("RMSprop", name) for name in ("capturable", "differentiable")),
    *(("Adam", name) for name in ("amsgrad", "capturable", "differentiable")),
    *(("Adam", name) for name in ("decoupled_weight_decay",)),
    *(("AdamW", name) for name in ("amsgrad", "capturable", "differentiable")),
    *(("NAdam", name) for name in ("decoupled_weight_decay", "capturable", "differentiable")),
}
SILENT = ("foreach", "fused")  # how, not what
# PyTorch reads these once, when its state is made, from the optimizer and not from the group.
AT_FIRST = {("Adagrad", "initial_accumulator_value")}
# The rule's own word: unlike PyTorch, momentum dampens its first gradient too.
OWN = {("SGD", "dampening")}


def words() -> list[tuple[str, str]]:
    found = []
    for family in FAMILIES:
        parameters = inspect.signature(getattr(torch.optim, family)).parameters
        found += [(family, name) for name in parameters if name != "params"]
    return found


def native(family: str) -> Make:
    return lambda params: eval(FAMILIES[family], {"torch": torch, "params": params})


@pytest.mark.parametrize(("family", "word"), words())
def test_a_word_of_a_native_s_group_is_honoured_or_refused(family: str, word: str) -> None:
    make = functools.partial(to_torch, read(FAMILIES[family])[1])
    group = {word: VALUES[word]}
    if (family, word) in REFUSED:
        with pytest.raises(InvalidArgument, match=word):
            walk(make, group)
        return
    if (family, word) in AT_FIRST:
        given = FAMILIES[family].replace("eps=", f"{word}={VALUES[word]}, eps=")
        theirs = walk(lambda params: eval(given, {"torch": torch, "params": params}))[:, :2]
        ours = walk(make, group)[:, :2]
    elif (family, word) in OWN:
        ours = walk(make, group)[:, :2]
        theirs = walk(functools.partial(to_torch, read(FAMILIES[family])[1].replace(group)))[:, :2]
    else:
        ours, theirs = walk(make, group), walk(native(family), group)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)
    if word not in SILENT:
        plain = walk(native(family))[:, : ours.shape[1]]
        assert np.abs(theirs - plain).max() > 1e-3


def test_the_words_of_all_natives_are_known() -> None:
    kinds = [kind for kind in vars(torch.optim).values() if inspect.isclass(kind)]
    taken = {name for kind in kinds for name in inspect.signature(kind).parameters}
    assert taken - {"defaults"} == NATIVE


@pytest.mark.parametrize("word", sorted(NATIVE - {"params", "lr", "maximize"}))
@pytest.mark.parametrize("rule", ["adam", "sgd", "clip(decay(rmsprop), clipnorm=1)"])
def test_no_word_of_any_native_is_ignored(rule: str, word: str) -> None:
    """At a value that changes something, it does here or is refused."""
    value = VALUES.get(word, 0.75)
    make = functools.partial(to_torch, rule)
    try:
        path = walk(make, {word: value})
    except InvalidArgument as error:
        said = str(error)
    else:
        same = word in SILENT or (word == "decoupled_weight_decay" and "decay" in rule)
        said = word if same or np.abs(path - walk(make)).max() > 1e-6 else "ignored"
    assert word in said


@pytest.mark.parametrize(
    ("rule", "group", "said"),
    [
        ("adam", {"beta1": 0.5}, "did you mean 'beta_1'"),
        ("adam", {"wd": 0.1}, "did you mean 'weight_decay'"),
        ("adam", {"weigth_decay": 0.1}, "did you mean 'weight_decay'"),
        ("adam", {"rho": 0.5}, "rho=0.5 in a parameter group has no place in this rule"),
        ("adam", {"betas": 0.9}, "is no pair"),
        ("adam", {"betas": (0.5, 1.5)}, "beta_2=1.5 is not allowed"),
        ("adam", {"betas": (0.5, 0.9), "beta_1": 0.8}, "different things about beta_1"),
        ("nesterov", {"nesterov": False}, "nesterov=False"),
        ("adamw", {"decoupled_weight_decay": False}, "decoupled_weight_decay=False"),
    ],
)
def test_a_group_that_cannot_be_is_refused(rule: str, group: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        walk(functools.partial(to_torch, rule), group)


def test_a_decay_for_a_rule_that_holds_another_is_given_to_that() -> None:
    rule = ravine.Clip(ravine.Adam(learning_rate=0.05), clipnorm=1.0)
    with pytest.raises(
        InvalidArgument, match=r"ravine\.L2\(adam, weight_decay=0\).*torch.optim.Adam's"
    ):
        walk(functools.partial(to_torch, rule), {"weight_decay": 0.5})
    advised = ravine.Clip(ravine.L2(rule.rule, weight_decay=0), clipnorm=1.0)
    decayed = walk(functools.partial(to_torch, advised), {"weight_decay": 0.5})
    assert np.abs(decayed - walk(functools.partial(to_torch, rule))).max() > 1e-3


def test_a_word_is_of_all_arrays_of_its_group() -> None:
    """Whichever of two rules they follow."""
    both = ravine.Partition(ravine.Adam(learning_rate=0.05), biases=ravine.Adam(), biases_rate=1.0)
    words = {"beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.125}
    given = both.replace(words | {f"biases_{name}": x for name, x in words.items()})
    found = walk(functools.partial(to_torch, both), {"betas": (0.5, 0.75), "eps": 0.125})
    expected = walk(functools.partial(to_torch, given))
    np.testing.assert_array_equal(found[:, :2], expected[:, :2])
    assert np.abs(found - walk(functools.partial(to_torch, both))).max() > 1e-3


def test_what_is_no_optimizer_s_word_stays_with_its_owner() -> None:
    optimizer = to_torch("adam", [{"params": weights(), "name": "head", "lr_scale": 0.5}])
    kept = {"name": "head", "lr_scale": 0.5}
    assert kept.items() <= optimizer.param_groups[0].items()
    assert kept.items() <= optimizer.state_dict()["param_groups"][0].items()


@pytest.mark.parametrize("way", ["set", "update", "or", "replaced", "loaded"])
def test_a_word_may_be_set_at_any_time(way: str) -> None:
    """By whatever means the group is written to, the next step knows."""

    def path(make: Make, change: Callable[[Any, dict[str, Any]], None], given: Any) -> Any:
        params = weights()
        optimizer = make(params)
        for t in range(6):
            if t == 3:
                change(optimizer, given)
            pull(params, t)
            optimizer.step()
        return torch.cat([p.detach() for p in params]).numpy()

    def change(optimizer: Any, given: dict[str, Any]) -> None:
        group = optimizer.param_groups[0]
        others = {k: v for k, v in group.items() if k not in ("beta_1", "beta_2", "epsilon")}
        if way == "set":
            for name, value in given.items():
                group[name] = value
        elif way == "update":
            group.update(given)
        elif way == "or":
            group |= given
        elif way == "replaced":
            optimizer.param_groups[0] = {**others, **given}
        else:
            state = copy.deepcopy(optimizer.state_dict())
            others["params"] = state["param_groups"][0]["params"]
            state["param_groups"][0] = {**others, **given}
            optimizer.load_state_dict(state)

    given = {"betas": (0.5, 0.75), "eps": 0.25}
    rule = read(FAMILIES["Adam"])[1]
    theirs = path(native("Adam"), change, given)
    ours = path(functools.partial(to_torch, rule), change, given)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)


def test_a_copy_has_groups_of_its_own() -> None:
    optimizer = to_torch("adam", weights())
    again = copy.deepcopy(optimizer)
    again.param_groups[0]["betas"] = (0.5, 0.75)
    assert again.param_groups[0]["beta_2"] == 0.75
    assert optimizer.param_groups[0]["beta_2"] == 0.999


# --- schedulers -----------------------------------------------------------------------------------

SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "LRScheduler": lr_scheduler.ConstantLR,  # the base of the others
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 0.9),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [2, 5]),
    "ConstantLR": lr_scheduler.ConstantLR,
    "LinearLR": lr_scheduler.LinearLR,
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o), lr_scheduler.PolynomialLR(o)], [4]
    ),
    "PolynomialLR": lr_scheduler.PolynomialLR,
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 10),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 4),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, 13),
}
# SWALR is of torch.optim.swa_utils.
CYCLING = ["SGD", "RMSprop", "Adam", "AdamW", "NAdam"]


def test_these_are_all_schedulers() -> None:
    public = {
        name
        for name, kind in vars(lr_scheduler).items()
        if inspect.isclass(kind) and issubclass(kind, lr_scheduler.LRScheduler) and name[0] != "_"
    }
    assert public == set(SCHEDULERS)


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("family", CYCLING)
def test_a_scheduler_does_what_it_does_to_the_native(family: str, name: str) -> None:
    def path(make: Make) -> Any:
        params = weights()
        optimizer = make([{"params": params[:1]}, {"params": params[1:], "lr": 0.02}])
        scheduler = SCHEDULERS[name](optimizer)
        found = []
        for t in range(12):
            pull(params, t)
            optimizer.step()
            scheduler.step(*([1.0] if name == "ReduceLROnPlateau" else []))
            found.append(torch.cat([p.detach().clone() for p in params]).numpy())
        return np.array(found)

    ours = path(functools.partial(to_torch, read(FAMILIES[family])[1]))
    np.testing.assert_allclose(ours, path(native(family)), rtol=0, atol=1e-13)


def test_a_rule_without_momentum_has_none_to_cycle() -> None:
    """PyTorch says so, and how to go on; that is followed."""
    optimizer = to_torch("rmsprop", weights())
    with pytest.raises(ValueError, match="must support momentum or beta1 with `cycle_momentum`"):
        lr_scheduler.OneCycleLR(optimizer, 0.1, 9)
    lr_scheduler.OneCycleLR(optimizer, 0.1, 9, cycle_momentum=False)


# --- methods --------------------------------------------------------------------------------------

HONOURED: dict[str, tuple[tuple[str, ...], Callable[[Make], Any]]] = {}


def does(*keywords: str) -> Callable[[Callable[[Make], Any]], Callable[[Make], Any]]:
    """What the method that it is named after does, with these keywords, to any optimizer."""

    def enter(function: Callable[[Make], Any]) -> Callable[[Make], Any]:
        HONOURED[function.__name__] = keywords, function
        return function

    return enter


def rounded(params: list[torch.nn.Parameter]) -> list[list[float]]:
    """The order of operations differs: some 1e-16 a step."""
    return [[round(x, 12) for x in p.tolist()] for p in params]


@does("closure")
def step(make: Make) -> Any:
    params = weights()
    optimizer = make(params)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = sum((p * p).sum() for p in params)
        loss.backward()  # type: ignore[union-attr,no-untyped-call]  # a tensor; untyped
        return loss

    return [round(optimizer.step(closure=closure).item(), 12) for _ in range(4)]


@does("set_to_none")
def zero_grad(make: Make) -> Any:
    params = weights()
    optimizer = make(params)
    found: list[Any] = []
    for how in (True, False):
        pull(params, 0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=how)
        found.append([None if p.grad is None else p.grad.tolist() for p in params])
        optimizer.step()
    return [*found, rounded(params)]


@does("param_group")
def add_param_group(make: Make) -> Any:
    params = weights()
    optimizer = make(params[:1])
    for t in range(4):
        pull(params, t)
        if t == 2:
            optimizer.add_param_group(param_group={"params": params[1], "lr": 0.5})
        optimizer.step()
    with pytest.raises(ValueError, match="more than one parameter group"):
        optimizer.add_param_group({"params": params[0]})
    return rounded(params)


@does()
def state_dict(make: Make) -> Any:
    optimizer = make(weights())
    pull(optimizer.param_groups[0]["params"], 0)
    optimizer.step()
    state = optimizer.state_dict()
    return [*state], [*state["state"]], state["param_groups"][0]["params"]


@does("state_dict")
def load_state_dict(make: Make) -> Any:
    params = weights()
    optimizer = make(params)
    pull(params, 0)
    optimizer.step()
    twins = [torch.nn.Parameter(p.detach().clone()) for p in params]
    other = make(twins)
    other.load_state_dict(state_dict=copy.deepcopy(optimizer.state_dict()))
    pull(twins, 1)
    other.step()
    return rounded(twins)


def hooked(way: str, *, prepend: bool = True) -> Callable[[Make], Any]:
    """What hooks are called for, in what order, and that they are gone once removed."""

    def check(make: Make) -> Any:
        params, heard = weights(), []
        optimizer = make(params)
        register = getattr(optimizer, way)
        first = register(lambda *_: heard.append("first"))
        last = {"prepend": True} if prepend else {}
        register(hook=lambda *_: heard.append("last"), **last)
        for _ in range(2):
            pull(params, 0)
            optimizer.step()
            optimizer.load_state_dict(optimizer.state_dict())
            first.remove()
        return heard, rounded(params)

    return check


for _way in ("register_step_pre_hook", "register_step_post_hook"):
    HONOURED[_way] = ("hook",), hooked(_way, prepend=False)
for _kind in ("load_state_dict", "state_dict"):
    for _when in ("pre", "post"):
        _way = f"register_{_kind}_{_when}_hook"
        HONOURED[_way] = ("hook", "prepend"), hooked(_way)


@does("func")
def profile_hook_step(make: Make) -> Any:
    """It wraps every ``step`` once, for hooks of all optimizers and the profiler."""
    params, heard = weights(), []
    optimizer = make(params)
    handles = [
        register(lambda *_: heard.append("any"))
        for register in (register_optimizer_step_pre_hook, register_optimizer_step_post_hook)
    ]
    try:
        pull(params, 0)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            optimizer.step()
    finally:
        for handle in handles:
            handle.remove()
    names = {event.key for event in profile.key_averages()}
    assert f"Optimizer.step#{type(optimizer).__name__}.step" in names
    return heard


ALIASES = {"OptimizerPreHook", "OptimizerPostHook"}  # types


def test_no_method_is_unchecked() -> None:
    public = {}
    for name in dir(torch.optim.Optimizer):
        if name[0] != "_" and name not in ALIASES:
            parameters = inspect.signature(getattr(torch.optim.Optimizer, name)).parameters
            public[name] = tuple(p for p in parameters if p != "self")
    assert public == {name: keywords for name, (keywords, _) in HONOURED.items()}


@pytest.mark.parametrize("name", HONOURED)
def test_a_method_does_what_the_native_s_does(name: str) -> None:
    found, expected = (
        HONOURED[name][1](make)
        for make in (functools.partial(to_torch, read(FAMILIES["Adam"])[1]), native("Adam"))
    )
    assert found == expected


def test_the_base_takes_what_it_took() -> None:
    """Parameters of all kinds, and defaults; the rest of what natives take is refused by name."""
    assert list(inspect.signature(torch.optim.Optimizer).parameters) == ["params", "defaults"]
    for word in sorted(NATIVE - {"params", "maximize"}):
        with pytest.raises(TypeError, match=word):
            to_torch("adam", weights(), **{word: VALUES.get(word, 0.5)})
