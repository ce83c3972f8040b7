"""An optimizer of one framework as the line of code of another that walks the same path.

Nothing here is believed: what is written is read back, and both rules are walked.
"""

import functools
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.errors import unknown
from ravine.frameworks.spelling import read_rule
from ravine.frameworks.translate import read, schedulers_in, write_keras, write_optax, write_torch
from ravine.frameworks.translate.parts import Unwritable, spelled, written
from ravine.frameworks.translate.read_optax import decays_apart
from ravine.frameworks.translate.write_schedule import scheduled
from ravine.rules import RULES, VARIANTS
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import WRAPPING, Scheduled, Wrapper

WRITERS: dict[str, ModuleType] = {"keras": write_keras, "torch": write_torch, "optax": write_optax}
_USUAL = {"pytorch": "torch", "tensorflow": "keras", "tf": "keras", "jax": "optax"}
STEPS = 100
# An epsilon shows where gradients are as small as it is, and nowhere else.
SIZES = (1.0, 1e-2, 1e-4, 1e-6, 1e-8)
SAME = 1e-10  # of the way walked: rounding adds up to some 1e-14, where variances cancel 1e-12


SCHEDULERS = (
    "The scheduler is taken to be stepped after every step of the optimizer, and no further than "
    "its last iteration."
)


@dataclass(frozen=True)
class Translation:
    """What a line of code is in another framework.

    ``text`` is the line to use: ``native`` if it walks the same path, else ``ours``, which always
    does. ``differences`` says, for gradients of each of ``SIZES``, by which share of the way
    walked in 100 steps the native departs; ``scheduled`` the same at a learning rate that changes.
    """

    framework: str
    rule: Rule
    native: str | None
    ours: str
    differences: dict[float, float]
    scheduled: dict[float, float]
    reason: str = ""  # why there is no native
    inner: "Translation | None" = None  # of what a schedule holds, where the rule is one
    caveat: str = ""  # what was taken for granted

    @property
    def exact(self) -> bool:
        """Whether the native walks the same path as long as the learning rate stays."""
        return self.native is not None and max(self.differences.values()) <= SAME

    @property
    def under_schedules(self) -> bool:
        """Whether it does whatever the learning rate does."""
        return self.exact and max(self.scheduled.values()) <= SAME

    @functools.cached_property
    def settles(self) -> bool:
        """Whether it does but for where ε stands beside the bias correction, which wears off."""
        return self._settles(changing=False)

    @functools.cached_property
    def follows(self) -> bool:
        """Whether it does the same whatever the learning rate does."""
        return self.under_schedules or (self.settles and self._settles(changing=True))

    def _settles(self, changing: bool) -> bool:
        if self.inner is not None:
            return self.inner._settles(changing)
        if self.native is None:
            return False
        here, there = (_settled(rule) for rule in (self.rule, read(self.native)[1]))
        return max(_differences(here, there, changing).values()) <= SAME

    @property
    def text(self) -> str:
        """The one expression to use."""
        return self.native if self.native and (self.exact or self.settles) else self.ours


def translate(text: str, to: str) -> Any:
    """The expression that walks the same path in another framework, or a rule for ``"ravine"``.

    ``text`` is an optimizer as Keras, PyTorch, Optax or TensorFlow 1 spell it, or a rule's own
    spelling; it is parsed, never evaluated, and defaults are filled in. ``to`` is ``"keras"``,
    ``"torch"``, ``"optax"`` or ``"ravine"``. Where no native walks that path the expression is
    ravine's own optimizer for that framework. Lines before the last may name its schedule; the
    last may be one of PyTorch's schedulers, which is taken to be stepped after each step. An ε that
    only changes its place beside the bias correction counts as the same path;
    :func:`translation` says how large that difference is.

    Raises :class:`InvalidArgument` for what cannot be read, and for an argument that is not
    translated.

    >>> translate("keras.optimizers.Adam(learning_rate=1e-3)", to="torch")
    'torch.optim.Adam(params, lr=0.001, eps=1e-07)'
    >>> translate("torch.optim.RMSprop(model.parameters(), lr=0.01)", to="optax")
    'optax.rmsprop(0.01, decay=0.99, eps_in_sqrt=False)'
    >>> translate("keras.optimizers.RMSprop()", to="torch")
    'ravine.to_torch(ravine.RMSprop(learning_rate=0.001, epsilon=1e-07), params)'
    >>> translate("optax.sgd(0.1, momentum=0.9)", to="ravine")
    Momentum(learning_rate=0.1, momentum=0.9, dampening=0.0)
    """
    if to.lower() == "ravine":
        return read(text)[1]
    return translation(text, to).text


def translation(given: str | Rule, to: str) -> Translation:
    """The same with the measured difference, the nearest native and ravine's own line."""
    to = _USUAL.get(to.lower(), to.lower())
    if to not in WRITERS:
        raise unknown("framework", to, [*WRITERS, "ravine"])
    rule = read(given)[1] if isinstance(given, str) else read_rule(given)
    ours = native_of(rule, to)
    if isinstance(rule, Scheduled):
        stepped = to == "torch" or (isinstance(given, str) and schedulers_in(given))
        return replace(_scheduled(rule, to, ours), caveat=SCHEDULERS if stepped else "")
    try:
        native = WRITERS[to].write(rule)
    except Unwritable as error:
        return Translation(to, rule, None, ours, {}, {}, str(error))
    other = read(native)[1]
    fixed = _differences(rule, other)
    apart = tuple(isinstance(x, str) and decays_apart(x) for x in (given, native))
    scheduled = _differences(rule, other, changing=True, apart=apart)
    return Translation(to, rule, native, ours, fixed, scheduled)


def _scheduled(rule: Scheduled, to: str, ours: str) -> Translation:
    """The native of what a schedule holds, its learning rate on the framework's own schedule."""
    inner = translation(rule.rule, to)
    reason = inner.reason
    if inner.native is not None and not inner.follows:
        reason = f"{inner.native} walks another path"
        reason += " where its learning rate changes" if inner.text == inner.native else ""
    if not reason:
        try:
            native = scheduled(inner.native or "", rule, to)
            return Translation(
                to, rule, native, ours, inner.differences, inner.scheduled, inner=inner
            )
        except Unwritable as error:
            reason = str(error)
    return Translation(to, rule, None, ours, {}, {}, reason)


def native_of(rule: Rule, framework: str) -> str:
    """Ravine's own optimizer of a framework, as code."""
    parameters = ", params" if framework == "torch" else ""
    return f"ravine.to_{framework}({code(rule)}{parameters})"


def code(rule: Rule) -> str:
    """A rule as Python: its learning rate, and what departs from the defaults.

    >>> from ravine import Adam
    >>> code(Adam(beta_1=0.8))
    'ravine.Adam(learning_rate=0.001, beta_1=0.8)'
    """
    kind = type(rule)
    known = {*RULES.values(), *VARIANTS.values(), *WRAPPING.values()}
    name = f"ravine.{kind.__name__}" if kind in known else kind.__name__
    values, defaults = rule.values(), rule.defaults()
    if not isinstance(rule, Wrapper):
        first = [f"learning_rate={written(values.pop('learning_rate'))}"]
        return spelled(name, *first, **{k: (v, defaults[k]) for k, v in values.items()})
    held = [(field, code(getattr(rule, field))) for field in rule.holds]
    first = [text if field == "rule" else f"{field}={text}" for field, text in held]
    theirs = {f"{start}{k}" for field, start in rule.holds.items() for k in _names(rule, field)}
    own = {k: (v, defaults[k]) for k, v in values.items() if k not in theirs}
    return spelled(name, *first, **own)


def _names(rule: Rule, field: str) -> list[str]:
    held: Rule = getattr(rule, field)
    return list(held.values())


def _settled(rule: Rule) -> Rule:
    """The same rule once its bias corrections have worn off, as far as ε is concerned."""
    values = rule.values()
    if not values.get("epsilon_hat"):
        return rule
    return rule.replace({"epsilon": values["epsilon"] + values["epsilon_hat"], "epsilon_hat": 0.0})


def _differences(
    one: Rule, other: Rule, changing: bool = False, apart: tuple[bool, ...] = (False, False)
) -> dict[float, float]:
    pairs = zip((one, other), apart, strict=True)
    walked = [_paths(rule, changing, fixed) for rule, fixed in pairs]
    found = {}
    for size, here, there in zip(SIZES, *walked, strict=True):
        way = np.abs(here).max()
        gap = np.abs(here - there).max()
        found[size] = float(gap / way) if np.isfinite(gap) and way else float(gap)
    return found


def _paths(rule: Rule, changing: bool, fixed: bool) -> tuple[NDArray[Any], ...]:
    """What a rule walks on gradients of each of ``SIZES``."""
    try:
        return _kept(rule, changing, fixed)
    except TypeError:  # it holds what cannot be looked up
        return _kept.__wrapped__(rule, changing, fixed)


# A rule is compared in every framework, under schedules too, and mostly with itself.
@functools.lru_cache(maxsize=64)
def _kept(rule: Rule, changing: bool, fixed: bool) -> tuple[NDArray[Any], ...]:
    # To any number of digits the same, whoever draws: no seed to choose.
    t = np.arange(1, STEPS + 1)[:, None]
    slopes = np.sin(t * np.sqrt([2.0, 3.0, 5.0])) * [1.0, 0.3, 0.1] + [0.2, 0.0, 0.1]
    factors = 1 + 0.5 * np.sin(t[:, 0]) if changing else np.ones(STEPS)
    plan = _plan(rule, factors, fixed)
    return tuple(_path(plan, size * slopes) for size in SIZES)


def _plan(rule: Rule, factors: NDArray[Any], fixed: bool) -> list[Rule]:
    """The rule at each step; ``fixed``: what decays does not follow the learning rate."""

    @functools.cache
    def at(factor: float) -> Rule:
        changes = {"learning_rate": rule.learning_rate * factor}
        if fixed:
            changes["weight_decay"] = rule.values()["weight_decay"] / factor
        return rule.replace(changes)

    return [at(factor) for factor in factors.tolist()]


def _path(plan: list[Rule], slopes: NDArray[Any]) -> NDArray[Any]:
    """The points where gradients are taken, from 0, so that rounding is seen beside the way."""
    w = np.zeros(slopes.shape[1])
    state, path = plan[0].init(w), []
    with np.errstate(all="ignore"):
        for t, (slope, now) in enumerate(zip(slopes, plan, strict=True), 1):
            (g,) = now.together([slope])
            w, state = now.update(w, g, state, t)
            path.append(plan[min(t, STEPS - 1)].lookahead(w, state, t + 1))
    return np.array(path)
