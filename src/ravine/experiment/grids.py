"""Which learning rates are tried, and what else beside them: as many for every rule."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ravine.errors import InvalidArgument, unknown
from ravine.experiment.configuration import DECAY
from ravine.rules.update_rule import Hyper, Rule
from ravine.rules.wrappers.wrapper import innermost

POINTS = 9  # over four decades, both ends included
TRIALS = 27  # where other hyperparameters are searched too
HALVES = (-1 / 2, 1 / 2)  # steps of a grid around its best rate
FINER = (-1 / 2, -1 / 4, 1 / 4, 1 / 2)
EXTENSIONS = 2  # of all grids, at most
DECADES = 4  # that a rule's own range spans
MOST = 1000  # learning rates of a rule
SMALLEST, LARGEST = 1e-37, 1e38  # learning rates: those of 32-bit numbers of full precision
A_DECADE = 10.0
LOGARITHMIC = 100  # a range from whose ends' ratio on its scale is logarithmic

Rates = str | Sequence[float] | Mapping[str, Sequence[float]] | None


def grids(task: Any, rules: Mapping[str, Rule], given: Rates, points: int) -> dict[str, Any]:
    """Each rule's learning rates, ascending: those given, else ``points`` over its own range."""
    if isinstance(given, Mapping):
        for name in given:
            if name not in rules:
                raise unknown("rule in learning_rates", str(name), rules)
        return {
            name: read_rates(given[name]) if name in given else own_grid(task, name, rule, points)
            for name, rule in rules.items()
        }
    if given is not None:
        return dict.fromkeys(rules, read_rates(given))
    return {name: own_grid(task, name, rule, points) for name, rule in rules.items()}


def log_grid(low: float, high: float, count: int) -> tuple[float, ...]:
    """``count`` learning rates from ``low`` to ``high``, evenly spaced on a log scale."""
    _check((low, high), count)
    if count == 1 and low == high:
        return (low,)
    if low == high:
        raise InvalidArgument(f"from {low:g} to {high:g} there is one learning rate, not {count}")
    if low > high:
        raise InvalidArgument(
            f"learning rates {low:g}:{high:g} run backwards: write {high:g}:{low:g}"
        )
    if count < 2:
        raise InvalidArgument(f"{count} learning rates from {low:g} to {high:g}: give at least 2")
    ratio = (high / low) ** (1 / (count - 1))
    # Six digits: a rate that people can read and type gives the same run.
    return tuple(_short(low * ratio**k) for k in range(count))


def thinned(rates: Sequence[float], count: int) -> tuple[float, ...]:
    """At most so many, from the same lowest to the same highest; of a list, some of it.

    >>> thinned((0.01, 0.1, 1.0, 10.0, 100.0), 3), thinned((0.1, 0.2, 0.4, 0.5), 3)
    ((0.01, 1.0, 100.0), (0.1, 0.4, 0.5))
    """
    if count >= len(rates) or count < 2:
        return tuple(rates)
    if log_grid(rates[0], rates[-1], len(rates)) == tuple(rates):
        return log_grid(rates[0], rates[-1], count)
    last = len(rates) - 1
    return tuple(rates[round(k * last / (count - 1))] for k in range(count))


def widened(rates: Sequence[float], points: int, upwards: bool) -> tuple[float, ...]:
    """A grid that began with ``points`` over four decades, a decade wider at one end.

    >>> widened((0.01, 0.1, 1.0, 10.0, 100.0), points=5, upwards=True)
    (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
    """
    step = (rates[-1] / rates[0]) ** (1 / (len(rates) - 1))
    more = a_decade(points)
    if upwards:
        added = [rates[-1] * step**k for k in range(1, more + 1)]
    else:
        added = [rates[0] / step**k for k in range(more, 0, -1)]
    added = [_short(rate) for rate in added if SMALLEST <= rate <= LARGEST]
    return (*rates, *added) if upwards else (*added, *rates)


def finer(
    rates: Sequence[float], best: float, shares: Sequence[float] = FINER
) -> tuple[float, ...]:
    """What lies so many steps of a grid from its best rate, within it: a quarter and half a step.

    >>> finer((0.01, 0.1, 1.0), 0.1), finer((0.01, 0.1, 1.0), 1.0), finer((0.1,), 0.1)
    ((0.0316228, 0.0562341, 0.177828, 0.316228), (0.316228, 0.562341), ())
    """
    if len(rates) < 2:
        return ()
    step = (rates[-1] / rates[0]) ** (1 / (len(rates) - 1))
    found = (_short(best * step**share) for share in shares)
    return tuple(rate for rate in found if rates[0] < rate < rates[-1] and rate not in rates)


def decays(rule: Rule) -> tuple[float, ...]:
    """The weight decays to try besides a rule's own: a tenth of it and ten times as much.

    None where it has none, or one that somebody gave; of one that is 0 by default, a third and two
    thirds of the way through the range to search.

    >>> from ravine.rules import Adam, AdamW
    >>> decays(AdamW()), decays(AdamW(weight_decay=0.05)), decays(Adam())
    ((0.001, 0.1), (), ())
    """
    declared, default = rule.hyperparameters().get(DECAY), rule.defaults().get(DECAY)
    if declared is None or declared.search is None or rule.values()[DECAY] != default:
        return ()
    low, high = declared.search
    if not default:
        found = [low * (high / low) ** share for share in (1 / 3, 2 / 3)]
    else:
        found = [default / A_DECADE, default * A_DECADE]
    return tuple(_short(value) for value in found if low <= value <= high)


def a_decade(points: int) -> int:
    """How many points of a grid that begins with so many over four decades make one decade."""
    return max(1, round((points - 1) / DECADES))


def own_grid(task: Any, name: str, rule: Rule, points: int) -> tuple[float, ...]:
    """Points over the four decades that the task, or else the rule, says are worth it.

    One point is the middle of them.
    """
    declared = rule.hyperparameters()["learning_rate"].search
    interval = task.learning_rates.get(innermost(rule).name, declared)
    if interval is None:
        raise InvalidArgument(f"{name} declares no range to search for its learning rate: give one")
    found = log_grid(interval[0], interval[1], 3 if points == 1 else points)
    return found[1:2] if points == 1 else found


def read_rates(given: str | Sequence[float]) -> tuple[float, ...]:
    """Learning rates from ``"LO:HI:N"``, a list as text, or a list; ascending, each once."""
    if isinstance(given, str):
        try:
            if ":" in given:
                low, high, count = given.split(":")
                interval = float(low), float(high), int(count)
            else:
                interval, given = None, [float(rate) for rate in given.split(",")]
        except ValueError:
            raise InvalidArgument(
                f"cannot read the learning rates {given!r}: write LO:HI:N, such as 1e-4:1:9, "
                "or a list, such as 0.1,0.3,1"
            ) from None
        if interval is not None:
            return log_grid(*interval)
    if isinstance(given, int | float):
        given = (given,)
    rates = sorted({float(rate) for rate in given})
    _check(rates, len(rates))
    if not rates:
        raise InvalidArgument("no learning rates given")
    return tuple(rates)


def read_search(given: str | Sequence[str] | None) -> dict[str, tuple[float, float] | None]:
    """What else is searched, and from where to where if that is said.

    >>> read_search("beta_2,weight_decay=1e-5:1e-2")
    {'beta_2': None, 'weight_decay': (1e-05, 0.01)}
    """
    parts = given.split(",") if isinstance(given, str) else list(given or ())
    found: dict[str, tuple[float, float] | None] = {}
    for part in parts:
        name, said, interval = (side.strip() for side in part.partition("="))
        try:
            low, high = map(float, interval.split(":")) if said else (0.0, 1.0)
        except ValueError:
            low, high = 1.0, 0.0
        if not name or not low < high:
            raise InvalidArgument(
                f"cannot read what to search in {part!r}: write a hyperparameter, such as beta_2, "
                "or one with its range, such as beta_2=0.9:0.999"
            )
        if name == "learning_rate":
            raise InvalidArgument(
                "the learning rate is always searched; narrow it with learning_rates"
            )
        found[name] = (low, high) if said else None
    return found


def scattered(
    rules: Mapping[str, Rule],
    rates: Mapping[str, Sequence[float]],
    search: Mapping[str, tuple[float, float] | None],
    strict: bool = True,
) -> dict[str, dict[str, tuple[float, ...]]]:
    """For each rule, the values of what it has of the searched, one for each of its rates.

    With the rates, which are evenly spaced, they are a Hammersley set: evenly spread over the
    whole box, whatever part of it matters. J. M. Hammersley 1960, Ann. N.Y. Acad. Sci. 86:844.
    ``strict``: what no rule has is an error.
    """
    known = {name: rule.hyperparameters() for name, rule in rules.items()}
    for name in search:
        if strict and not any(name in has for has in known.values()):
            every = {other for has in known.values() for other in has if other != "learning_rate"}
            raise unknown("hyperparameter to search", name, sorted(every))
    found = {}
    for rule, has in known.items():
        names = [name for name in search if name in has]
        columns = _spread(len(rates[rule]), len(names))
        found[rule] = {
            name: _scaled(rule, name, has[name], search[name], column)
            for name, column in zip(names, columns, strict=True)
        }
    return {rule: columns for rule, columns in found.items() if columns}


def _spread(count: int, dimensions: int) -> list[list[float]]:
    """Van der Corput's sequences in the first prime bases, without their 0."""
    if not dimensions:
        return []
    from scipy.stats import qmc

    points = qmc.Halton(dimensions, scramble=False).random(count + 1)[1:]
    return [list(map(float, column)) for column in points.T]


def _scaled(
    rule: str,
    name: str,
    declared: Hyper,
    given: tuple[float, float] | None,
    shares: Sequence[float],
) -> tuple[float, ...]:
    interval = given or declared.search
    if interval is None:
        raise InvalidArgument(f"{rule} declares no range to search for {name}: write {name}=LO:HI")
    for value in interval:
        if not declared.allows(value):
            raise InvalidArgument(
                f"{rule}: {name}={value:g} is not allowed: it must be {declared.allowed}"
            )
    low, high = interval
    if declared.valid == "[0, 1)":  # a memory: 0.9, 0.99 and 0.999 are equally far apart
        return tuple(_short(1 - (1 - low) * ((1 - high) / (1 - low)) ** share) for share in shares)
    if low > 0 and high >= LOGARITHMIC * low:
        return tuple(_short(low * (high / low) ** share) for share in shares)
    return tuple(_short(low + (high - low) * share) for share in shares)


def _check(rates: Sequence[float], count: int) -> None:
    for rate in rates:
        if not 0 < rate < math.inf:
            raise InvalidArgument(
                f"learning rate {rate:g} is not allowed: it must be > 0 and finite"
            )
        if not SMALLEST <= rate <= LARGEST:
            raise InvalidArgument(
                f"learning rate {rate:g} is not allowed: runs compute with 32-bit numbers, so it "
                f"must be from {SMALLEST:g} to {LARGEST:g}"
            )
    if count > MOST:
        raise InvalidArgument(f"{count} learning rates are not allowed: give at most {MOST}")


def _short(value: float) -> float:
    return float(f"{value:.6g}")
