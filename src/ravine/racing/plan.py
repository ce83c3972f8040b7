"""What a race will run, settled before anything runs."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import NamedTuple

from ravine import names
from ravine.errors import unknown
from ravine.racing import grids, stopping
from ravine.racing.choices import STUDY_SEEDS, Choices, decays, scheduled
from ravine.racing.engines import GPU, JAX
from ravine.racing.identity import digest, source_digest
from ravine.update_rule import Rule

REFERENCE_SEEDS = 10
EVALUATIONS = 100  # a run, about: fine enough to time, cheap beside the training
LANE_BYTES = 1 << 20  # lanes × parameters × 16 bytes stay within a core's L2 cache
LANES = 8  # more gain little
LONE_STEP = 5e6  # operations of a step from which on one lane at a time is fastest
SEGMENT_OPERATIONS = 2e11  # some 10 s of one core: what a crash may cost
GPU_LANES, GPU_LANE_BYTES, GPU_SEGMENT_OPERATIONS = 64, 1 << 30, 2e12  # the same on a GPU
SEGMENT_ROWS = 1 << 22  # numbers of a segment's batches: what bounds a worker's memory
STAGE_SEEDS = 1_000_000
DECISIVE = 6  # of the facts
# Seeds of these stages never meet: what was tuned on is not judged on.
FIRST_SEED = {stage: i * STAGE_SEEDS for i, stage in enumerate(("tuning", "reference", "fresh"))}
# Fresh runs once more, of a rule whose rate decays: all of its decay in fewer steps.
SHORTER = {"half": 2, "quarter": 4}
# Fresh runs at a learning rate that tuning could not tell from the chosen one.
CONTENDER = "contender"
FIRST_SEED |= dict.fromkeys((*SHORTER, CONTENDER), FIRST_SEED["fresh"])


class Facts(NamedTuple):
    """What building the task's model and loading its data taught.

    The first six decide what a run's result is; races of before know no others.
    """

    parameters: int
    rows: tuple[int, ...]  # train, validation, test
    measures: tuple[str, ...]
    digest: str  # of the model's configuration and all data
    # The defaults are what races did from before there was a choice.
    operations: float = 0.0  # of a training step, a row of the batch; 0: not counted
    frozen_order: bool = False  # whether every epoch has the same batches
    shared: tuple[float, ...] = (0.0, 0.0, 0.0)  # rows: see ``inspection.Shared``
    repeats: int = 0  # steps after which batches of the task's own size repeat; 0: they do not
    engine: str = JAX  # what trains it: see ``engines``
    lanes: bool = True  # whether runs can be lanes of one program; else one comes after another
    notes: tuple[str, ...] = ()  # what could not be found out, a line each


@dataclass(frozen=True)
class Run:
    """One training run. ``id`` is a digest of everything that decides its result."""

    id: str
    stage: str
    rule: str
    learning_rate: float
    seed: int


@dataclass(frozen=True)
class Plan:
    """Choices, and what follows from them and the task: everything that decides the results."""

    choices: Choices
    facts: Facts
    sources: Mapping[str, str]  # digest of each raced rule's code and hyperparameters
    steps: int  # a run: whole periods
    period: int  # steps between evaluations
    segment: int  # most periods between checkpoints
    width: int  # lanes of a program
    decaying: tuple[str, ...] = ()  # the rules whose rate falls over the steps of a run

    def __post_init__(self) -> None:
        names.check("the task", [self.choices.task])
        names.check("the rule", self.choices.rules)
        names.check("the measure", self.facts.measures)

    @property
    def evaluations(self) -> int:
        """How often a run is evaluated after its start."""
        return self.steps // self.period

    def horizon(self, stage: str) -> int:
        """How many steps a run of a stage has."""
        return self.evaluations // SHORTER.get(stage, 1) * self.period

    def judged_in(self, rule: str) -> tuple[str, ...]:
        """The stages of a rule's runs that its time to the target is taken from, longest first."""
        shorter = [stage for stage in SHORTER if self.horizon(stage)]
        return ("fresh", *(shorter if rule in self.decaying else ()))

    @property
    def operations(self) -> float:
        """Floating point operations of a step of one run."""
        return step_operations(self.choices, self.facts)

    @property
    def rungs(self) -> tuple[int, ...]:
        """After which evaluations learning rates may be stopped, in tuning."""
        return stopping.rungs(self.evaluations) if self.choices.early_stopping else ()

    def cuts(self, stage: str) -> tuple[int, ...]:
        """After which evaluations a run's segments end; the last is its own end."""
        rungs = self.rungs if stage == "tuning" else ()
        return _cuts((*rungs, self.horizon(stage) // self.period), self.segment)

    def tuning(self, study: int = 0) -> list[Run]:
        """Every rule at every learning rate of its grid, on the tuning seeds."""
        seeds = range(self.choices.seeds)
        return [
            run
            for rule in self.choices.rules
            for run in self.tried(rule, self.choices.learning_rates[rule], study, seeds)
        ]

    def tried(
        self, rule: str, rates: Sequence[float], study: int, seeds: Sequence[int]
    ) -> list[Run]:
        """A rule at some learning rates, on some tuning seeds."""
        return [self.run("tuning", rule, rate, seed, study) for rate in rates for seed in seeds]

    def finer(self, rule: str, best: float) -> tuple[float, ...]:
        """The learning rates to try around the best of a rule's grid, once that is known.

        None around what somebody asked for, nor in a box, nor where a rate decays over the run.
        """
        if not self.choices.may_widen or self.decaying:
            return ()
        return grids.finer(self.choices.learning_rates[rule], best)

    def reference_runs(self, rate: float, study: int = 0) -> list[Run]:
        """Those that the target is taken from, at the reference's learning rate."""
        rule, seeds = self.choices.reference, range(self.references)
        return [self.run("reference", rule, rate, seed, study) for seed in seeds]

    def fresh(self, chosen: Mapping[str, float], seeds: int, study: int) -> list[Run]:
        """What the times of these rules, at these rates, are taken from."""
        return [
            self.run(stage, rule, rate, seed, study)
            for rule, rate in chosen.items()
            for stage in self.judged_in(rule)
            for seed in range(seeds)
        ]

    def later_seeds(self) -> list[int]:
        """Those of all runs that come after tuning."""
        counts = {"reference": self.references, "fresh": self.choices.fresh_seeds}
        return [
            FIRST_SEED[stage] + study * STUDY_SEEDS + i
            for study in range(self.choices.studies)
            for stage, count in counts.items()
            for i in range(count)
        ]

    @property
    def references(self) -> int:
        """How many reference runs a study has: those that a target is to be taken from."""
        return 0 if self.choices.target else REFERENCE_SEEDS

    def run(self, stage: str, rule: str, learning_rate: float, seed: int, study: int = 0) -> Run:
        """The ``seed``-th run of a stage of a study."""
        seed += FIRST_SEED[stage] + study * STUDY_SEEDS
        decisive = [self.facts[:DECISIVE], self.sources[rule], learning_rate, seed]
        decisive.append(self.choices.batch_size)
        decisive += [self.horizon(stage), self.period, self.segment, self.width]
        if others := self.choices.settings(rule, learning_rate):
            decisive.append(others)
        return Run(digest(decisive)[:16], stage, rule, learning_rate, seed)

    def settings(self, run: Run) -> dict[str, float]:
        """The hyperparameters in which a run departs from its rule."""
        found = {"learning_rate": run.learning_rate}
        found |= self.choices.settings(run.rule, run.learning_rate)
        return found | ({"steps": float(self.horizon(run.stage))} if run.stage in SHORTER else {})

    @property
    def count(self) -> int:
        """How many runs the race has in all, at most but for contenders and wider grids."""
        choices = self.choices
        tuning = choices.seeds * sum(map(self.rates_tried, choices.rules))
        judging = sum(len(self.judged_in(rule)) for rule in choices.rules) * choices.fresh_seeds
        return choices.studies * (tuning + self.references + judging)

    def rates_tried(self, rule: str) -> int:
        """How many learning rates of a rule are tuned on."""
        rates = self.choices.learning_rates[rule]
        return len(rates) + len(self.finer(rule, rates[len(rates) // 2]))

    def with_grids(self, learning_rates: Mapping[str, tuple[float, ...]]) -> "Plan":
        """The same race over other learning rates."""
        return replace(self, choices=replace(self.choices, learning_rates=learning_rates))

    def to_json(self) -> str:
        """The plan as text; equal plans give equal text."""
        return json.dumps(asdict(self) | {"facts": self.facts._asdict()}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """The plan that ``to_json`` wrote."""
        fields = json.loads(text)
        choices = fields.pop("choices")
        choices["rules"] = tuple(choices["rules"])
        choices["learning_rates"] = {k: tuple(v) for k, v in choices["learning_rates"].items()}
        choices["search"] = {
            name: interval and tuple(interval)
            for name, interval in choices.get("search", {}).items()
        }
        choices["others"] = {
            rule: {name: tuple(values) for name, values in columns.items()}
            for rule, columns in choices.get("others", {}).items()
        }
        fields["decaying"] = tuple(fields.get("decaying", ()))
        facts = fields.pop("facts")
        facts |= {k: tuple(v) for k, v in facts.items() if isinstance(v, list)}
        return cls(Choices(**choices), Facts(**facts), **fields)


def settle(choices: Choices, rules: Mapping[str, Rule], facts: Facts) -> Plan:
    """The whole plan, once the model and the data are known."""
    if choices.batch_size > facts.rows[0]:  # as in fit, a batch has all rows then
        note = (
            f"batch_size={choices.batch_size} is larger than the training data: a batch has all "
            f"{facts.rows[0]} rows"
        )
        choices = replace(choices, batch_size=facts.rows[0])
        facts = facts._replace(notes=(*facts.notes, note))
    if choices.target and (measure := re.split("[<>]=", choices.target)[0]) not in facts.measures:
        raise unknown(f"measure of {choices.task}", measure, facts.measures)
    wanted = choices.epochs * (facts.rows[0] // choices.batch_size)
    period = math.ceil(wanted / EVALUATIONS)
    evaluations = math.ceil(wanted / period)
    steps = evaluations * period
    operations = step_operations(choices, facts)
    together, _, longest = _most(facts)
    numbers = together * period * choices.batch_size
    most = min(evaluations, longest // (operations * period), SEGMENT_ROWS // numbers)
    raced = {name: scheduled(rule, choices.schedule, steps) for name, rule in rules.items()}
    return Plan(
        choices=choices,
        facts=facts,
        sources={name: source_digest(rule) for name, rule in raced.items()},
        steps=steps,
        period=period,
        segment=max(1, int(most)),
        width=lanes(facts, operations, most_at_once(choices)),
        decaying=tuple(name for name, rule in raced.items() if decays(rule, steps)),
    )


@cache
def _cuts(ends: tuple[int, ...], segment: int) -> tuple[int, ...]:
    found, begun = [], 0
    for end in ends:
        found += [*range(begun + segment, end, segment), end]
        begun = end
    return tuple(found)


def study_of(seed: int) -> int:
    """Which study a run's seed belongs to.

    >>> study_of(2_030_007)
    3
    """
    return seed % STAGE_SEEDS // STUDY_SEEDS


def step_operations(choices: Choices, facts: Facts) -> float:
    """Of one run; where they were not counted, those of dense layers."""
    return choices.batch_size * (facts.operations or 6 * facts.parameters)


def most_at_once(choices: Choices) -> int:
    """The most runs of one rule that can go together, as a power of two that has room for them."""
    tuned = max(map(len, choices.learning_rates.values())) * choices.seeds
    return 1 << (max(tuned, choices.fresh_seeds, REFERENCE_SEEDS) - 1).bit_length()


def lanes(facts: Facts, operations: float, at_once: int) -> int:
    """How many runs a program takes at once: a power of two that follows from the plan alone.

    Nothing is timed: the width of a program decides how sums are rounded, so two races by one
    command have equal curves only if they have equal widths.
    """
    if not facts.lanes or (operations > LONE_STEP and facts.engine != GPU):
        return 1
    most, room, _ = _most(facts)
    fitting = max(1, min(most, room // (16 * max(1, facts.parameters))))
    found = 1 << (fitting.bit_length() - 1)
    return min(found, at_once) if facts.engine == GPU else found


def _most(facts: Facts) -> tuple[int, int, float]:
    """What a worker does well with: lanes, bytes of them, operations of one in a segment."""
    if facts.engine == GPU:
        return GPU_LANES, GPU_LANE_BYTES, GPU_SEGMENT_OPERATIONS
    return LANES, LANE_BYTES, SEGMENT_OPERATIONS
