"""What the user decided, checked as far as it can be without building the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ravine.errors import InvalidArgument, unknown
from ravine.experiment import grids
from ravine.experiment.configuration import Configuration
from ravine.experiment.grids import Rates
from ravine.experiment.target import read_target
from ravine.frameworks.spelling import read_rule, read_schedule
from ravine.rules import RULES
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import Scheduled
from ravine.rules.wrappers.wrapper import inside

BASELINE = "sgd"
LOOKS = (6, 9, 12, 18, 24)  # evaluation seeds after which it is seen what is decided
TIME, FINAL = OBJECTIVES = ("time", "final")  # what the line to paste is best in
FULL, RATE = TUNED = ("full", "lr")  # what is tuned: the weight decay too, or not
REPETITION_SEEDS = 10_000  # of a stage, that belong to one repetition
MOST_REPETITIONS = 100


@dataclass(frozen=True)
class RaceConfig:
    """What the user decided. Learning rates are by the rule's spelling."""

    task: str
    rules: tuple[str, ...]
    learning_rates: Mapping[str, tuple[float, ...]]
    tuning_seeds: int
    eval_seeds: int
    epochs: int
    batch_size: int
    # The defaults are what races did from before there was a choice.
    schedule: str = "constant"  # of every rule's learning rate
    early_stopping: bool = False  # of tuning runs whose rate can no longer be chosen
    # "accuracy>=0.95", "training loss<=0.1"; empty: what the tuned reference reliably reaches.
    target: str = ""
    repetitions: int = 1  # how often tuning and judging are done, each time on seeds of their own
    points: int = 0  # over each rule's own range, before any was widened; 0: rates were given
    # What else is searched, and from where to where if that was said.
    search: Mapping[str, tuple[float, float] | None] = field(default_factory=dict)
    # By rule and hyperparameter: a value for each learning rate.
    others: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    fitted: str = ""  # to which budget, and what was given up for it
    reference: str = BASELINE  # the rule that the others are compared with
    looked: bool = True  # whether evaluation ends for a rule once something is concluded of it
    objective: str = TIME  # see ``analysis.endings.recommended``
    tune: str = FULL  # or the learning rate alone
    # By rule: the weight decays to try besides its own, where that is tuned.
    decays: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def may_widen(self) -> bool:
        """Whether grids that prove too narrow may grow.

        What somebody asked for is not added to; nor is a box, which has no two ends.
        """
        return bool(self.points) and not self.search

    @property
    def looks(self) -> tuple[int, ...]:
        """After how many evaluation seeds a race of one repetition looks at what it has.

        >>> RaceConfig("t", (), {}, 2, 24, 1, 1).looks, RaceConfig("t", (), {}, 2, 8, 1, 1).looks
        ((6, 9, 12, 18, 24), (6, 8))
        """
        if self.repetitions > 1 or not self.looked:
            return (self.eval_seeds,)
        return (*(n for n in LOOKS if n < self.eval_seeds), self.eval_seeds)

    @property
    def widened(self) -> Mapping[str, int]:
        """How many decades each grid was widened by."""
        if not self.may_widen:
            return dict.fromkeys(self.rules, 0)
        step = grids.a_decade(self.points)
        return {rule: (len(self.learning_rates[rule]) - self.points) // step for rule in self.rules}

    def trials(self, rule: str) -> tuple[Configuration, ...]:
        """The configurations that a rule is tuned on at first, by learning rate."""
        rates, columns = self.learning_rates[rule], self.others.get(rule, {})
        rows = zip(*columns.values(), strict=True) if columns else [()] * len(rates)
        return tuple(
            Configuration.of(rate, dict(zip(columns, row, strict=True)))
            for rate, row in zip(rates, rows, strict=True)
        )


def choose(
    task: Any,
    rules: Sequence[Rule],
    learning_rates: Rates,
    tuning_seeds: int,
    eval_seeds: int,
    epochs: int | None,
    batch_size: int | None,
    schedule: str = "constant",
    early_stopping: bool = True,
    *,
    reference: Any = BASELINE,
    looks: bool = True,
    objective: str = TIME,
    target: float | str | None = None,
    repetitions: int = 1,
    search: str | Sequence[str] | None = None,
    trials: int | None = None,
    tune: str | None = None,
) -> tuple[RaceConfig, dict[str, Rule]]:
    """Check what the user asked for as far as it can be without building the model.

    The reference joins where it is missing: everything is measured against it. Returns the choices,
    and the rules by their spelling.
    """
    by_name, base = named(rules), named([read_rule(reference)])
    by_name = by_name if set(base) <= set(by_name) else {**base, **by_name}
    for rule in by_name.values():
        scheduled(rule, schedule, steps=1)  # which says what cannot be
    if objective not in OBJECTIVES:
        raise unknown("objective", objective, OBJECTIVES)
    searched = grids.read_search(search)
    _check_tune(tune, learning_rates, searched)
    if trials is not None and learning_rates is not None:
        raise InvalidArgument(
            "trials and learning_rates both say how many are tried: give one of them, "
            "learning_rates as LO:HI:N for N trials"
        )
    counts: dict[str, Any] = {
        "tuning_seeds": tuning_seeds,
        "eval_seeds": eval_seeds,
        "epochs": task.epochs if epochs is None else epochs,
        "batch_size": task.batch_size if batch_size is None else batch_size,
        "repetitions": repetitions,
    }
    points = (grids.TRIALS if searched else grids.POINTS) if trials is None else trials
    for name, count in {**counts, "trials": points}.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise InvalidArgument(
                f"{name}={count!r} is not allowed: give a whole number of at least 1"
            )
    most = {
        "tuning_seeds": REPETITION_SEEDS,
        "eval_seeds": REPETITION_SEEDS,
        "repetitions": MOST_REPETITIONS,
    }
    for name, limit in most.items():
        if counts[name] > limit:
            raise InvalidArgument(f"{name}={counts[name]} is not allowed: at most {limit}")
    if points < 2:
        raise InvalidArgument(f"trials={points} is not allowed: give at least 2")
    rates = grids.grids(task, by_name, learning_rates, points)
    choices = RaceConfig(
        task.name,
        tuple(by_name),
        rates,
        **counts,
        schedule=schedule,
        early_stopping=early_stopping,
        target=read_target(target),
        points=points if learning_rates is None else 0,
        search=searched,
        others=grids.scattered(by_name, rates, searched) if searched else {},
        reference=next(iter(base)),
        looked=looks,
        objective=objective,
        tune=tune or FULL,
    )
    return tuned(choices, by_name), by_name


def tuned(choices: RaceConfig, rules: Mapping[str, Rule]) -> RaceConfig:
    """The choices, with the weight decays to try of all rules that have one to tune.

    One that somebody gave is not tuned, nor beside learning rates that somebody gave.
    """
    whole = choices.tune == FULL and choices.may_widen
    found = {name: grids.decays(rule) for name, rule in rules.items()} if whole else {}
    return replace(choices, decays={name: values for name, values in found.items() if values})


def _check_tune(tune: str | None, learning_rates: Rates, searched: Mapping[str, Any]) -> None:
    if tune is None:
        return
    if tune not in TUNED:
        raise unknown("way to tune", tune, TUNED)
    if tune == FULL and (learning_rates is not None or searched):
        given = "learning_rates" if learning_rates is not None else "search"
        raise InvalidArgument(
            f"tune='full' tries weight decays around the best of ravine's own learning rates, and "
            f"{given} says what is tried: leave one of them out; search='weight_decay' tunes the "
            "decay over a range"
        )


def joined(choices: RaceConfig, task: Any, rules: Mapping[str, Rule]) -> RaceConfig:
    """The choices of a race that more rules join: they get as many trials as the others.

    ``rules`` are all of them, by their spelling. Where one list of rates was given for all it is
    for the new ones too; else those have their own ranges.
    """
    new = {name: rule for name, rule in rules.items() if name not in choices.rules}
    lists = set(choices.learning_rates.values())
    if choices.points or len(lists) > 1:
        points = choices.points or max(map(len, lists))
        rates = {name: grids.own_grid(task, name, rule, points) for name, rule in new.items()}
    else:
        rates = dict.fromkeys(new, next(iter(lists)))
    grown = replace(
        choices,
        rules=(*choices.rules, *new),
        learning_rates={**choices.learning_rates, **rates},
        others={**choices.others, **grids.scattered(new, rates, choices.search, strict=False)},
    )
    return tuned(grown, rules)


def thinned(choices: RaceConfig, rules: Mapping[str, Rule], count: int) -> RaceConfig:
    """The choices with at most so many trials of each rule, over the same ranges."""
    rates = {rule: grids.thinned(own, count) for rule, own in choices.learning_rates.items()}
    others = grids.scattered(rules, rates, choices.search, strict=False) if choices.search else {}
    points = min(choices.points, count)
    return replace(choices, learning_rates=rates, others=others, points=points)


def named(rules: Sequence[Rule]) -> dict[str, Rule]:
    """Rules by their spelling. Raises ``InvalidArgument`` where there are none, or two of one."""
    if not rules:
        raise InvalidArgument(f"no rules given; known: {', '.join(RULES)}")
    by_name: dict[str, Rule] = {}
    for rule in rules:
        if rule.learning_rate != rule.defaults()["learning_rate"]:
            raise InvalidArgument(
                f"{rule}: the race searches the learning rate itself; leave it out here and "
                "narrow the search with --learning-rates (learning_rates=) if you like"
            )
        if str(rule) in by_name:
            raise InvalidArgument(f"rule '{rule}' is listed twice")
        by_name[str(rule)] = rule
    return by_name


def scheduled(rule: Rule, schedule: str, steps: int) -> Rule:
    """The rule that is raced: the one listed, its learning rate on the schedule of the race.

    >>> from ravine.rules import SGD
    >>> str(scheduled(SGD(), "cosine(warmup=0.1)", steps=500))
    'scheduled(sgd, steps=500, warmup=0.1)'
    >>> str(scheduled(Scheduled(SGD(), "linear"), "constant", steps=500))
    'scheduled(sgd, schedule=linear, steps=500)'
    """
    curve = read_schedule(schedule)
    if schedule == "constant":
        own = rule.values().get("steps"), rule.defaults().get("steps")
        ours = any(isinstance(held, Scheduled) for held in inside(rule))
        # Whoever writes scheduled(adam) means this training, however long it is.
        return rule.replace({"steps": float(steps)}) if ours and own[0] == own[1] else rule
    if any(isinstance(held, Scheduled) for held in inside(rule)):
        raise InvalidArgument(
            f"{rule} has a schedule of its own: race it without schedule={schedule}"
        )
    return Scheduled(rule, steps=float(steps), **curve)


def decays(raced: Rule, steps: int) -> bool:
    """Whether a rule's learning rate falls over the steps of a run, rather than stays."""
    held = [one for one in inside(raced) if isinstance(one, Scheduled)]
    return any(one.schedule != "constant" and one.values()["steps"] == steps for one in held)
