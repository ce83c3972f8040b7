"""The learning-rate schedules of Keras, Optax and PyTorch as ravine's. Imports none of them.

The functions have the names, parameters and defaults of the natives. A schedule that ravine's do
not express is refused in one line.
"""

import inspect
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ravine.errors import InvalidArgument
from ravine.frameworks.translate.call import Call, number

_LONG = 1e9  # steps: no training is as long as a schedule that never ends
_NOTHING = 1e-12  # of a rate, where one that halves for ever may stay


class Curve(NamedTuple):
    """A learning rate and what ``ravine.Scheduled`` makes of it; no options if it is constant."""

    rate: float
    options: dict[str, Any]


Reader = Callable[..., Curve]
KERAS: dict[str, Reader] = {}
OPTAX: dict[str, Reader] = {}
TORCH: dict[str, Reader] = {}  # the rate is the optimizer's, given first


def curve(call: Call, of: Mapping[str, Reader], *first: Any) -> Curve:
    """The schedule that a call makes, of one framework's; ``first`` stands before its arguments."""
    short = call.name.rpartition(".")[2]
    if short not in of:
        raise InvalidArgument(
            f"{call.name} is none of ravine's schedules: read are {', '.join(of)}; translate a "
            "constant rate, and set the schedule there"
        )
    return of[short](**Call(call.name, (*first, *call.arguments), call.named).bound(of[short]))


def _of(registry: dict[str, Reader]) -> Callable[[Reader], Reader]:
    def enter(function: Reader) -> Reader:
        def read(**given: Any) -> Curve:
            found = {k: _plain(v, k) for k, v in given.items() if k not in ("name", "optimizer")}
            return function(**found, **{k: v for k, v in given.items() if k == "optimizer"})

        parameters = inspect.signature(function).parameters.values()
        read.__signature__ = inspect.Signature([*parameters])  # type: ignore[attr-defined]
        registry[function.__name__] = read
        return read

    return enter


def _plain(value: Any, name: str) -> Any:
    if value is None or isinstance(value, bool | tuple | list | dict):
        return value
    return number(value, name)


def _no(schedule: str, given: str) -> InvalidArgument:
    return InvalidArgument(
        f"{schedule} with {given} is none of ravine's schedules: translate a constant rate, and "
        "set the schedule there"
    )


def _fall(name: str, kind: str, rate: float, steps: float, end: float) -> Curve:
    """From the whole rate to a share of it, in so many steps."""
    if not 0 <= end <= 1:
        raise _no(name, "a rate that rises")
    if not steps >= 1:
        raise InvalidArgument(f"{name}: {steps:g} steps are too few: a schedule takes at least one")
    if end == 1:
        return Curve(rate, {})
    return Curve(rate, {"schedule": kind, "steps": steps, **({"end": end} if end else {})})


def _exponential(
    name: str, rate: float, steps: float, share: float, end: float | None = None
) -> Curve:
    if not 0 < share <= 1:
        raise _no(name, f"a factor of {share:g}")
    if share == 1:
        return Curve(rate, {})
    times = math.ceil(math.log(_NOTHING) / math.log(share))
    if end:  # and no lower
        return _fall(name, "exponential", rate, steps * math.log(end) / math.log(share), end)
    return _fall(name, "exponential", rate, steps * times, share**times)


def inverse(name: str, rate: float, share: float) -> Curve:
    """``rate / (1 + share · steps done)``, for ever."""
    if share < 0:
        raise _no(name, "a rate that rises")
    if share == 0:
        return Curve(rate, {})
    return _fall(name, "inverse", rate, _LONG, 1 / (1 + share * _LONG))


def _steps(name: str, rate: float, at: Any, shares: Any) -> Curve:
    """Two equal drops after a half and three quarters, which is the one staircase of ravine's."""
    places = [number(x, name) for x in at]
    factors = [number(x, name) for x in shares]
    if not places:
        return Curve(rate, {})
    alike = len(factors) == 2 and math.isclose(*factors, rel_tol=1e-12)
    if len(places) != 2 or not alike or 3 * places[0] != 2 * places[1]:
        raise _no(name, "steps other than two equal ones after a half and three quarters")
    return _fall(name, "step", rate, 2 * places[0], factors[0] * factors[1])


@_of(KERAS)
def CosineDecay(
    initial_learning_rate: Any,
    decay_steps: Any,
    alpha: Any = 0.0,
    name: Any = "CosineDecay",
    warmup_target: Any = None,
    warmup_steps: Any = 0,
) -> Curve:
    if warmup_target is not None or warmup_steps:
        raise _no("CosineDecay", "a warm-up that begins at its initial rate")
    return _fall("CosineDecay", "cosine", initial_learning_rate, decay_steps, alpha)


@_of(KERAS)
def ExponentialDecay(
    initial_learning_rate: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: Any = False,
    name: Any = "ExponentialDecay",
) -> Curve:
    if staircase:
        raise _no("ExponentialDecay", "a staircase")
    return _exponential("ExponentialDecay", initial_learning_rate, decay_steps, decay_rate)


@_of(KERAS)
def InverseTimeDecay(
    initial_learning_rate: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: Any = False,
    name: Any = "InverseTimeDecay",
) -> Curve:
    if staircase:
        raise _no("InverseTimeDecay", "a staircase")
    return inverse("InverseTimeDecay", initial_learning_rate, decay_rate / decay_steps)


@_of(KERAS)
def PolynomialDecay(
    initial_learning_rate: Any,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    cycle: Any = False,
    name: Any = "PolynomialDecay",
) -> Curve:
    if power != 1 or cycle:
        raise _no("PolynomialDecay", "cycles" if cycle else f"power={power:g}")
    end = end_learning_rate / initial_learning_rate
    return _fall("PolynomialDecay", "linear", initial_learning_rate, decay_steps, end)


@_of(KERAS)
def PiecewiseConstantDecay(boundaries: Any, values: Any, name: Any = "PiecewiseConstant") -> Curve:
    if len(values) != len(boundaries) + 1:
        raise InvalidArgument("PiecewiseConstantDecay takes one more of values than of boundaries")
    rates = [number(x, "values") for x in values]
    shares = [b / a for a, b in itertools.pairwise(rates)]
    # The step at a boundary still takes the rate before it.
    places = [number(x, "boundaries") + 1 for x in boundaries]
    return _steps("PiecewiseConstantDecay", rates[0], places, shares)


@_of(OPTAX)
def constant_schedule(value: Any) -> Curve:
    return Curve(value, {})


@_of(OPTAX)
def cosine_decay_schedule(
    init_value: Any, decay_steps: Any, alpha: Any = 0.0, exponent: Any = 1.0
) -> Curve:
    if exponent != 1:
        raise _no("cosine_decay_schedule", f"exponent={exponent:g}")
    return _fall("cosine_decay_schedule", "cosine", init_value, decay_steps, alpha)


@_of(OPTAX)
def linear_schedule(
    init_value: Any, end_value: Any, transition_steps: Any, transition_begin: Any = 0
) -> Curve:
    return polynomial_schedule(
        init_value=init_value,
        end_value=end_value,
        power=1.0,
        transition_steps=transition_steps,
        transition_begin=transition_begin,
    )


@_of(OPTAX)
def polynomial_schedule(
    init_value: Any,
    end_value: Any,
    power: Any,
    transition_steps: Any,
    transition_begin: Any = 0,
) -> Curve:
    if power != 1 or transition_begin > 0:
        given = f"power={power:g}" if power != 1 else "a later beginning"
        raise _no("polynomial_schedule", given)
    if init_value == 0:
        raise _no("linear_schedule", "a warm-up that begins at 0")
    return _fall("linear_schedule", "linear", init_value, transition_steps, end_value / init_value)


@_of(OPTAX)
def exponential_decay(
    init_value: Any,
    transition_steps: Any,
    decay_rate: Any,
    transition_begin: Any = 0,
    staircase: Any = False,
    end_value: Any = None,
) -> Curve:
    if staircase or transition_begin > 0:
        raise _no("exponential_decay", "a staircase" if staircase else "a later beginning")
    end = end_value / init_value if end_value else None
    return _exponential("exponential_decay", init_value, transition_steps, decay_rate, end)


@_of(OPTAX)
def piecewise_constant_schedule(init_value: Any, boundaries_and_scales: Any = None) -> Curve:
    given = dict(sorted((boundaries_and_scales or {}).items()))
    return _steps("piecewise_constant_schedule", init_value, given, given.values())


def _from_the_start(last_epoch: float) -> None:
    if last_epoch != -1:
        raise InvalidArgument(
            "last_epoch is not translated: a translation begins at the first step"
        )


@_of(TORCH)
def MultiStepLR(optimizer: Any, milestones: Any, gamma: Any = 0.1, last_epoch: Any = -1) -> Curve:
    _from_the_start(last_epoch)
    return _steps("MultiStepLR", optimizer, sorted(milestones), [gamma] * len(milestones))


@_of(TORCH)
def LinearLR(
    optimizer: Any,
    start_factor: Any = 1 / 3,
    end_factor: Any = 1.0,
    total_iters: Any = 5,
    last_epoch: Any = -1,
) -> Curve:
    _from_the_start(last_epoch)
    if start_factor != 1:
        raise _no("LinearLR", f"a warm-up that begins at {start_factor:g} of the rate")
    return _fall("LinearLR", "linear", optimizer, total_iters, end_factor)


@_of(TORCH)
def ExponentialLR(optimizer: Any, gamma: Any, last_epoch: Any = -1) -> Curve:
    _from_the_start(last_epoch)
    return _exponential("ExponentialLR", optimizer, 1, gamma)


@_of(TORCH)
def PolynomialLR(
    optimizer: Any, total_iters: Any = 5, power: Any = 1.0, last_epoch: Any = -1
) -> Curve:
    _from_the_start(last_epoch)
    if power != 1:
        raise _no("PolynomialLR", f"power={power:g}")
    return _fall("PolynomialLR", "linear", optimizer, total_iters, 0.0)


@_of(TORCH)
def CosineAnnealingLR(
    optimizer: Any, T_max: Any, eta_min: Any = 0.0, last_epoch: Any = -1
) -> Curve:
    _from_the_start(last_epoch)
    return _fall("CosineAnnealingLR", "cosine", optimizer, T_max, eta_min / optimizer)
