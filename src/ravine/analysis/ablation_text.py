"""What levers were found to do, in words."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from ravine.analysis.ablation import Compared, Effect, Values
from ravine.analysis.curves import UNTRAINED, untrained
from ravine.analysis.naming import title
from ravine.analysis.results import FASTER, SLOWER
from ravine.analysis.statistics import Spread

HOW = {
    "combination": "each is raced as a task of its own: every rule is tuned anew on it, with the "
    "same budget and the same seeds",
    "target": "one for all: what gradient descent, tuned, reliably reaches under the first values, "
    "unless a target was given",
    "effect": "steps to the target with a lever's value, divided by those with its first value, in "
    "pairs of equal evaluation seeds, which fix the order of the batches and the random numbers "
    "of the initial weights; over the values of the other levers the geometric mean. A run that "
    "misses the target counts as a whole run, so that there the effect is at most (≤) or at least "
    "(≥) "
    "what is said",
    "finding": "an exact sign test over the seeds, Holm-adjusted for all rules and values, and the "
    "95 % interval of the median, must agree; effects under single combinations are shown with "
    "their intervals, which are not adjusted, and claim nothing",
    "winner": "the rule with the smallest median; those that its paired interval does not part "
    "from it are tied",
    "change": "another rule wins beyond noise if each beats the other where it wins, by sign "
    "tests adjusted for the rules that might have won and for all pairs of combinations",
    "gradient": "root mean square of the loss's gradient over each layer's weights, at the initial "
    "weights, on up to 512 rows of the training data; the median of three seeds",
}


def sentence(found: Compared) -> str:
    """Which lever matters how much, and whether it changes who wins."""
    if found.units < found.needed:
        return (
            f"Too few seeds to claim anything about levers: {found.units} of the {found.needed} "
            f"that {len(found.effects)} comparisons need. {_winners(found)}"
        )
    order = sorted(found.levers, key=lambda lever: -_size(found, lever))
    order = [lever for lever in order if len(found.levers[lever]) > 1]
    if not order:
        return _winners(found)
    if not any(e.finding in (FASTER, SLOWER) for e in found.effects):
        return (
            f"No difference found: no value of {_listed(order, 'or')} is reliably faster or slower "
            f"than the first, for any rule. {_winners(found)}"
        )
    said = [_about(found, lever) for lever in order]
    if len(order) > 1:
        said[0] = said[0].replace(": ", " matters most: ", 1)
    return " ".join([*(f"{one[0].upper()}{one[1:]}." for one in said), _winners(found)])


def _size(found: Compared, lever: str) -> float:
    """How much a lever can do: its best or worst value's mean effect, in logarithms."""
    sizes = [0.0]
    for value in found.levers[lever][1:]:
        own = [e for e in found.effects if (e.lever, e.value) == (lever, value)]
        claimed = [abs(math.log(e.speedup.median)) for e in own if e.finding in (FASTER, SLOWER)]
        sizes.append(sum(claimed) / len(own))
    return max(sizes)


def _about(found: Compared, lever: str) -> str:
    base, *others = found.levers[lever]
    said = []
    for value in others:
        own = [e for e in found.effects if (e.lever, e.value) == (lever, value)]
        parts = []
        for finding in (FASTER, SLOWER):
            claimed = [e for e in own if e.finding == finding]
            if claimed:
                parts.append(f"{finding} for {_rules(claimed, own)} ({_range(claimed, found)})")
        unclear = [e for e in own if e.finding not in (FASTER, SLOWER)]
        if not parts:
            said.append(f"no difference found between {value} and {base}")
            continue
        rest = f"; no difference found for {_rules(unclear, own)}" if unclear else ""
        said.append(f"{value} instead of {base} is {_listed(parts)}{rest}")
    return f"{lever}: {'; '.join(said)}"


def _rules(some: Sequence[Effect], all_: Sequence[Effect]) -> str:
    if len(some) == len(all_) > 2:
        return f"all {len(all_)} rules"
    if len(some) <= 2:
        return _listed(title(e.rule) for e in some)
    return f"{len(some)} of {len(all_)} rules"


def _range(effects: Sequence[Effect], found: Compared) -> str:
    least, most = (f(effects, key=lambda e: 1 / e.speedup.median) for f in (min, max))
    first, last = said_effect(least), said_effect(most)
    if first == last:
        return f"{first} the {found.clock}"
    if least.bound == most.bound:  # it is said once
        last = last.removeprefix(_TURNED[most.bound])
    return f"{first} to {last} the {found.clock}"


_TURNED = {"": "", "≤": "at least ", "≥": "at most ", "≈": "about "}


def said_effect(effect: Effect) -> str:
    """In steps: ``0.31×``, or ``at most 0.31×`` where runs with the first value missed."""
    return f"{_TURNED[effect.bound]}{_two(1 / effect.speedup.median)}×"


def said_interval(spread: Spread) -> str:
    """Of an effect in steps: ``[0.27, 0.36]``."""
    low, high = sorted((1 / spread.low, 1 / spread.high))
    return f"[{_two(low)}, {_two(high)}]"


def _winners(found: Compared) -> str:
    if len(found.rules) == 1:
        return "Only gradient descent was raced: no other rule could win."
    wins = Counter(c.winner for c in found.combinations)
    count = len(found.combinations)
    first, *others = wins.most_common()
    everywhere = "the one combination" if count == 1 else f"all {count} combinations"
    named = {w: title(w) for w in wins}
    if not others:
        if not first[0]:
            return f"In {everywhere} most runs of every rule miss the target."
        tied = _listed(map(title, _tied(found))) if _tied(found) else ""
        said = f"{named[first[0]]} is first in {everywhere}"
        return f"{said}{f', level with {tied} in some' if tied else ''}."
    counts = [f"{named[w]} in {n}" for w, n in wins.most_common() if w]
    counts += [f"nobody in {wins['']}"] if wins[""] else []
    text = f"First is {_listed(counts)} of {count} combinations"
    claimed = [c for c in found.changes if c.found]
    if claimed:
        each = [
            f"{title(c.after)} instead of {title(c.before)} with {c.lever} {c.value} instead of "
            f"{c.base}{_with(c.within)} (p = {c.p_value:.2g})"
            for c in claimed
        ]
        return f"{text}; who wins changes beyond noise: {_listed(each)}."
    return f"{text}; no change of who wins is beyond noise."


def _tied(found: Compared) -> list[str]:
    return sorted({rule for c in found.combinations for rule in c.ties})


def _with(within: Values) -> str:
    return f" at {said_values(within)}" if within else ""


def said_values(values: Values) -> str:
    """A combination in words: ``activation relu, batch_size 16``."""
    return ", ".join(f"{lever} {value}" for lever, value in values.items())


def warnings(found: Compared, target: float, start: float) -> list[str]:
    """What a reader should know. ``start``: the test loss before step one, NaN if of no use."""
    said = []
    if untrained(start) < target < math.inf:
        said.append(
            f"gradient descent hardly learned under the first values: the target, {target:.4g}, is "
            f"more than {UNTRAINED:.0%} of the loss before step one, {start:.4g}; list first what "
            "trains well, or give a target"
        )
    said += [
        f"with {said_values(c.values)} most runs of every rule miss the target"
        for c in found.combinations
        if not c.winner
    ]
    for e in found.effects:
        if e.depends:
            each = [
                f"{said_effect(w)} at {said_values(w.within)}"
                for w in found.within
                if (w.lever, w.value, w.rule) == (e.lever, e.value, e.rule)
            ]
            said.append(
                f"{title(e.rule)}: what {e.lever} {e.value} does depends on the other levers, "
                f"{found.clock}: {'; '.join(each)}"
            )
    return said


def _two(ratio: float) -> str:
    return "∞" if math.isinf(ratio) else f"{ratio:.2f}"


def _listed(names: Iterable[str], last: str = "and") -> str:
    *others, end = names
    return f" {last} ".join([", ".join(others), end] if others else [end])
