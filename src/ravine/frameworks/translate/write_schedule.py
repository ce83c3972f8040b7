"""A learning-rate schedule as each framework spells it, around one of its own optimizers.

Step i, from 0, of a native schedule has the factor of step i + 1 of the rule: both begin with the
whole rate. They part only after the last step of the schedule.
"""

import math
import re
from collections.abc import Callable

from ravine.frameworks.translate.parts import Unwritable, written
from ravine.rules.wrappers import Scheduled

LEFT = 0.01  # of the rate at the end, of exponential, inverse and step, unless said
STEPPED = "  # scheduler.step() after every optimizer.step()"  # not after every epoch
Spelled = Callable[[str, Scheduled], str]


def scheduled(native: str, schedule: Scheduled, to: str) -> str:
    """The line of an optimizer whose learning rate follows a schedule.

    Of PyTorch it is two statements, the second of which makes the scheduler to be stepped after
    each step of the optimizer.

    Args:
        native: The optimizer of the framework at a learning rate that stays.
        schedule: What its learning rate follows.
        to: ``"keras"``, ``"torch"`` or ``"optax"``.

    Raises:
        Unwritable: The framework has no such schedule.
    """
    if schedule.schedule == "constant" and not schedule.warmup:
        return native
    if to == "torch":
        return f"optimizer = {native}; scheduler = {_torch(schedule)}{STEPPED}"
    if schedule.warmup:
        raise Unwritable(f"{to} warms up from 0, a step later")
    place, spellings = (_KERAS_RATE, _KERAS) if to == "keras" else (_OPTAX_RATE, _OPTAX)
    if schedule.schedule not in spellings:
        raise Unwritable(f"{to} has no schedule '{schedule.schedule}' to give an optimizer")
    found = place.search(native)
    if found is None or len(place.findall(native)) > 1:
        raise Unwritable(f"more than one learning rate in {native}")
    rate = found["rate"]
    return (
        native[: found.start("rate")]
        + spellings[schedule.schedule](rate, schedule)
        + native[found.end("rate") :]
    )


_NUMBER = r"(?P<rate>[-+.\de]+)"
_KERAS_RATE = re.compile(rf"\blearning_rate={_NUMBER}")
_OPTAX_RATE = re.compile(rf"\boptax\.(?:sgd|adagrad|rmsprop|adamw?|nadamw?|amsgrad)\({_NUMBER}")


def _end(schedule: Scheduled, usual: float) -> float:
    return usual if schedule.end is None else schedule.end


def _share(schedule: Scheduled, name: str, usual: float = 0.0) -> str:
    """An argument for what is left in the end, where that is not the framework's default."""
    end = _end(schedule, usual)
    return f", {name}={written(end)}" if end else ""


def _times(rate: str, share: float) -> str:
    return written(float(rate) * share)


def _drops(schedule: Scheduled) -> tuple[int, int]:
    """The first steps after a half and three quarters."""
    return math.ceil(schedule.steps / 2), math.ceil(schedule.steps * 3 / 4)


def _drop(schedule: Scheduled) -> float:
    return math.sqrt(_end(schedule, LEFT))


def _keras_linear(rate: str, s: Scheduled) -> str:
    end = _times(rate, _end(s, 0.0))
    return f"keras.optimizers.schedules.PolynomialDecay({rate}, {s.steps:.0f}, {end})"


def _keras_step(rate: str, s: Scheduled) -> str:
    (first, second), drop = _drops(s), _drop(s)
    rates = ", ".join([rate, _times(rate, drop), _times(rate, drop**2)])
    name = "keras.optimizers.schedules.PiecewiseConstantDecay"
    return f"{name}([{first - 1}, {second - 1}], [{rates}])"


def _optax_step(rate: str, s: Scheduled) -> str:
    drops = ", ".join(f"{at}: {written(_drop(s))}" for at in _drops(s))
    return f"optax.piecewise_constant_schedule({rate}, {{{drops}}})"


_KERAS: dict[str, Spelled] = {
    "cosine": lambda rate, s: (
        f"keras.optimizers.schedules.CosineDecay({rate}, {s.steps:.0f}{_share(s, 'alpha')})"
    ),
    "linear": _keras_linear,
    "exponential": lambda rate, s: (
        f"keras.optimizers.schedules.ExponentialDecay({rate}, {s.steps:.0f}, "
        f"{written(_end(s, LEFT))})"
    ),
    "inverse": lambda rate, s: (
        f"keras.optimizers.schedules.InverseTimeDecay({rate}, {s.steps:.0f}, "
        f"{written(1 / _end(s, LEFT) - 1)})"
    ),
    "step": _keras_step,
}
_OPTAX: dict[str, Spelled] = {
    "cosine": lambda rate, s: (
        f"optax.cosine_decay_schedule({rate}, {s.steps:.0f}{_share(s, 'alpha')})"
    ),
    "linear": lambda rate, s: (
        f"optax.linear_schedule({rate}, {_times(rate, _end(s, 0.0))}, {s.steps:.0f})"
    ),
    "exponential": lambda rate, s: (
        f"optax.exponential_decay({rate}, {s.steps:.0f}, {written(_end(s, LEFT))})"
    ),
    "step": _optax_step,
}


def _torch(s: Scheduled) -> str:
    """A scheduler; with a warm-up a function of the step, as the classes know none such."""
    place, steps = "torch.optim.lr_scheduler", f"{s.steps:.0f}"
    if s.warmup or s.schedule == "inverse" or (s.schedule == "cosine" and _end(s, 0.0)):
        return f"{place}.LambdaLR(optimizer, lambda step: {_factor(s)})"
    if s.schedule == "cosine":
        return f"{place}.CosineAnnealingLR(optimizer, {steps})"
    if s.schedule == "linear":
        return f"{place}.LinearLR(optimizer, 1.0, {written(_end(s, 0.0))}, {steps})"
    if s.schedule == "exponential":
        return f"{place}.ExponentialLR(optimizer, {written(_end(s, LEFT))} ** (1 / {steps}))"
    first, second = _drops(s)
    return f"{place}.MultiStepLR(optimizer, [{first}, {second}], {written(_drop(s))})"


def _factor(s: Scheduled) -> str:
    """The factor at a step from 0, as Python; ``Scheduled`` has it in the same words."""
    warm, rest = s.warmup * s.steps, (1 - s.warmup) * s.steps
    q = f"max(step - {warm:g}, 0) / {rest:g}" if warm else f"step / {rest:g}"
    end = _end(s, 0.0 if s.schedule in ("cosine", "linear") else LEFT)
    left, fallen = (f"{written(end)} + ", f"{written(1 - end)} * ") if end else ("", "")
    factors = {
        "constant": "1.0",
        "cosine": f"{left}{fallen}0.5 * (1 + math.cos(math.pi * {q}))",
        "linear": f"1 - {fallen}{q}",
        "exponential": f"{written(end)} ** ({q})",
        "inverse": f"1 / (1 + {written(1 / end - 1) if end else 0} * {q})",
        "step": f"{written(math.sqrt(end))} ** (({q} >= 0.5) + ({q} >= 0.75))",
    }
    factor = factors[s.schedule]
    if not warm:
        return factor
    return f"min((step + 1) / {warm:g}, 1) * ({factor})"
