"""Fitting a race to a time: what is given up, in which order, and what never is."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from ravine.errors import InvalidArgument
from ravine.experiment.config import RaceConfig, thinned
from ravine.experiment.cost import Cost, estimate
from ravine.experiment.durations import said_seconds
from ravine.experiment.plan import Plan
from ravine.rules.update_rule import Rule

FEWEST_RATES = 5  # one a decade, both ends of four decades included
FEWEST_TRIALS = 9  # where more than the learning rate is searched
FEWEST_A_REPETITION = 3  # evaluation seeds, where what is compared is repetitions
MARGIN = 1.1  # of what is said to be needed, so that it is enough when it is asked for


class Concession(NamedTuple):
    """Something that may be given up, down to the least of it."""

    what: str
    least: int
    have: Callable[[RaceConfig], int]
    with_: Callable[[RaceConfig, int], RaceConfig]


def fitted(
    plan: Plan,
    rules: Mapping[str, Rule],
    cost: Cost,
    budget: float,
    *,
    pairs: Callable[[int], int],
    spent: float = 0.0,
) -> Plan:
    """The plan, with as much of it as ``budget`` seconds allow, of which some are ``spent``.

    Given up in the order of ``concessions``, each as little as will do and all of it before the
    next. ``pairs`` says how many a clean sweep takes to be a claim, among so many rules. What early
    stopping saves is not counted on: it is kept for grids that prove too narrow. Raises
    ``InvalidArgument`` with what would be needed where even the least takes longer.
    """

    def takes(choices: RaceConfig) -> float:
        return spent + estimate(replace(plan, choices=choices), cost).longest

    fit, asked = plan.choices, takes(plan.choices)
    given_up: dict[str, str] = {}
    for one in concessions(plan.choices, rules, pairs):
        if takes(fit) <= budget:
            break
        low, high = min(one.least, one.have(fit)), one.have(fit)
        before = high
        while low < high:  # the most that fits, else the least
            middle = (low + high + 1) // 2
            fits = takes(one.with_(fit, middle)) <= budget
            low, high = (middle, high) if fits else (low, middle - 1)
        if low < before:
            fit = one.with_(fit, low)
            given_up.pop(one.what, None)
            what = one.what.removesuffix("s") if low == 1 else one.what
            given_up[one.what] = f"{low} {what} instead of {one.have(plan.choices)}"
    if takes(fit) > budget:
        raise InvalidArgument(_too_little(plan, budget, takes(fit), list(given_up.values()), spent))
    if not given_up:
        return plan
    said = (
        f"to fit {said_seconds(budget)}: {', '.join(given_up.values())}; "
        f"all that was asked for would take about {said_seconds(asked)}"
    )
    return replace(plan, choices=replace(fit, fitted=said))


def concessions(
    choices: RaceConfig, rules: Mapping[str, Rule], pairs: Callable[[int], int]
) -> list[Concession]:
    """What is given up, first to last. The rules and the length of a run are not."""
    need = pairs(max(1, len(choices.rules) - 1))
    several = choices.repetitions > 1

    def tuning_seeds(least: int) -> Concession:
        return Concession(
            "tuning seeds", least, lambda c: c.tuning_seeds, partial(_with, "tuning_seeds")
        )

    trials = FEWEST_TRIALS if choices.search else FEWEST_RATES
    return [
        Concession("repetitions", need, lambda c: c.repetitions, partial(_with, "repetitions")),
        tuning_seeds(2),
        Concession(
            "evaluation seeds",
            FEWEST_A_REPETITION if several else need,
            lambda c: c.eval_seeds,
            partial(_with, "eval_seeds"),
        ),
        Concession(
            "settings a rule" if choices.search else "learning rates a rule",
            trials,
            lambda c: max(map(len, c.learning_rates.values())),
            lambda c, count: thinned(c, rules, count),
        ),
        tuning_seeds(1),
    ]


def _with(name: str, choices: RaceConfig, value: int) -> RaceConfig:
    return replace(choices, **{name: value})  # type: ignore[arg-type]  # all of them are integers


def _too_little(plan: Plan, budget: float, least: float, given_up: list[str], spent: float) -> str:
    """What would be enough, and what else could be lowered."""
    epochs = int(plan.choices.epochs * (budget - spent) / (least - spent))
    said = f", with {', '.join(given_up)}," if given_up else ""
    return (
        f"a budget of {said_seconds(budget)} is too little: the least race that can make a claim"
        f"{said} would take about {said_seconds(least)}. Give it {MARGIN * least:.0f} s or "
        "more, or race fewer rules"
        + (
            f", or lower epochs to about {epochs} instead of {plan.choices.epochs}"
            if epochs
            else ""
        )
    )
