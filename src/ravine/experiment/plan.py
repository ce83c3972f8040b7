"""What a race will run, settled before anything runs."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import NamedTuple

from ravine.errors import unknown
from ravine.experiment import grids, pruning
from ravine.experiment.config import REPETITION_SEEDS, RaceConfig, decays, scheduled
from ravine.experiment.configuration import DECAY, Configuration
from ravine.experiment.engines import GPU, JAX
from ravine.experiment.fingerprints import digest, source_digest
from ravine.rules.update_rule import Rule
from ravine.tasks import names

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
FIRST_SEED = {
    stage: i * STAGE_SEEDS for i, stage in enumerate(("tuning", "reference", "evaluation"))
}
# Fresh runs of a configuration that tuning could not tell from the chosen one.
CONTENDER = "contender"
FIRST_SEED[CONTENDER] = FIRST_SEED["evaluation"]
# A whole schedule in fewer steps, of a rule whose rate decays; its seed tells what it is run for.
SHORTER = "shorter"
STAGES = (*FIRST_SEED, SHORTER)  # in the order in which runs are listed
HORIZONS = 7  # of a rule whose rate decays: all steps, and each 2^(-1/2) times the one before
SHORTEST = 4  # evaluations of a horizon


class TaskInfo(NamedTuple):
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
    anew: bool = False  # whether every seed splits the rows anew
    blocks: int = 0  # of test rows that are measured apart, where it does not
    floats: str = "float32"  # that it is computed in
    split: str = ""  # how rows were split, in words, where they are a user's


@dataclass(frozen=True)
class Run:
    """One training run. ``id`` is a digest of everything that decides its result."""

    id: str
    stage: str
    rule: str
    configuration: Configuration
    seed: int
    steps: int

    @property
    def learning_rate(self) -> float:
        """Of the configuration."""
        return self.configuration.learning_rate


@dataclass(frozen=True)
class Plan:
    """Choices, and what follows from them and the task: everything that decides the results."""

    choices: RaceConfig
    facts: TaskInfo
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

    def horizons(self, rule: str) -> tuple[int, ...]:
        """How many steps the runs of a rule have, the most first.

        Where the rate decays over a run, the middle of a long run says nothing about a short one,
        so that there are runs of several lengths, each with its whole schedule.
        """
        if rule not in self.decaying:
            return (self.steps,)
        lengths = {round(self.evaluations * 2 ** (-j / 2)) for j in range(HORIZONS)}
        kept = (n for n in lengths if n >= SHORTEST or n == self.evaluations)
        return tuple(sorted((n * self.period for n in kept), reverse=True))

    @property
    def operations(self) -> float:
        """Floating point operations of a step of one run."""
        return step_operations(self.choices, self.facts)

    @property
    def rungs(self) -> tuple[int, ...]:
        """After which evaluations learning rates may be stopped, in tuning."""
        told = not self.choices.target.startswith("training")  # workers tell what they evaluate
        return pruning.rungs(self.evaluations) if self.choices.early_stopping and told else ()

    def rungs_of(self, run: Run) -> tuple[int, ...]:
        """After which evaluations a run may be stopped."""
        return self.rungs if run.stage == "tuning" and run.rule not in self.decaying else ()

    def cuts(self, run: Run) -> tuple[int, ...]:
        """After which evaluations a run's segments end; the last is its own end."""
        return _cuts((*self.rungs_of(run), run.steps // self.period), self.segment)

    def tuning(self, repetition: int = 0) -> list[Run]:
        """Every rule at every trial of its grid, on the tuning seeds."""
        seeds = range(self.choices.tuning_seeds)
        return [
            run
            for rule in self.choices.rules
            for run in self.tried(rule, self.choices.trials(rule), repetition, seeds)
        ]

    def tried(
        self, rule: str, trials: Sequence[Configuration], repetition: int, seeds: Sequence[int]
    ) -> list[Run]:
        """A rule in some configurations, on some tuning seeds."""
        return [
            self.run("tuning", rule, one, seed, repetition, steps)
            for steps in self.horizons(rule)
            for one in trials
            for seed in seeds
        ]

    def finer(self, rule: str, best: Configuration) -> tuple[Configuration, ...]:
        """What to try around the best of a rule's grid, once that is known.

        Other weight decays where that is tuned, else learning rates. None around what somebody
        asked for, nor in a box.
        """
        choices = self.choices
        if not choices.may_widen:
            return ()
        if decays := choices.decays.get(rule, ()):
            return tuple(Configuration(best.learning_rate, ((DECAY, d),)) for d in decays)
        rates = grids.finer(choices.learning_rates[rule], best.learning_rate)
        return tuple(best._replace(learning_rate=rate) for rate in rates)

    def finest(self, rule: str, best: Configuration) -> tuple[Configuration, ...]:
        """What to try after that: learning rates where other weight decays were tried before."""
        choices = self.choices
        if not choices.may_widen or rule not in choices.decays:
            return ()
        rates = grids.finer(choices.learning_rates[rule], best.learning_rate, grids.HALVES)
        return tuple(best._replace(learning_rate=rate) for rate in rates)

    def reference_runs(self, one: Configuration, repetition: int = 0) -> list[Run]:
        """Those that the target is taken from, in the reference's configuration."""
        rule = self.choices.reference
        return [
            self.run("reference", rule, one, seed, repetition, steps)
            for steps in self.horizons(rule)
            for seed in range(self.references)
        ]

    def fresh(self, chosen: Mapping[str, Configuration], seeds: int, repetition: int) -> list[Run]:
        """What the times of these rules, in these configurations, are taken from."""
        return self.evaluated("evaluation", chosen, seeds, repetition)

    def evaluated(
        self, stage: str, chosen: Mapping[str, Configuration], seeds: int, repetition: int
    ) -> list[Run]:
        """Runs of these rules on the seeds for evaluation."""
        return [
            self.run(stage, rule, one, seed, repetition, steps)
            for rule, one in chosen.items()
            for steps in self.horizons(rule)
            for seed in range(seeds)
        ]

    def later_seeds(self) -> list[int]:
        """Those of all runs that come after tuning."""
        counts = {"reference": self.references, "evaluation": self.choices.eval_seeds}
        return [
            FIRST_SEED[stage] + repetition * REPETITION_SEEDS + i
            for repetition in range(self.choices.repetitions)
            for stage, count in counts.items()
            for i in range(count)
        ]

    @property
    def references(self) -> int:
        """How many reference runs a repetition has: those that a target is to be taken from."""
        return 0 if self.choices.target else REFERENCE_SEEDS

    def run(
        self,
        stage: str,
        rule: str,
        configuration: Configuration,
        seed: int,
        repetition: int = 0,
        steps: int = 0,
    ) -> Run:
        """The ``seed``-th run of a stage of a repetition; ``steps``: by default all
        that a run has.
        """
        seed += FIRST_SEED[stage] + repetition * REPETITION_SEEDS
        steps = steps or self.steps
        stage = stage if steps == self.steps else SHORTER
        id_ = self.id_of(rule, configuration, seed, steps)
        return Run(id_, stage, rule, configuration, seed, steps)

    def id_of(self, rule: str, configuration: Configuration, seed: int, steps: int) -> str:
        """A digest of everything that decides a run's result."""
        decisive = [self.facts[:DECISIVE], self.sources[rule], configuration.learning_rate, seed]
        decisive.append(self.choices.batch_size)
        decisive += [steps, self.period, self.segment, self.width]
        if configuration.others:
            decisive.append(dict(configuration.others))
        return digest(decisive)[:16]

    def settings(self, run: Run) -> dict[str, float]:
        """The hyperparameters in which a run departs from its rule."""
        shorter = {"steps": float(run.steps)} if run.steps < self.steps else {}
        return run.configuration.values | shorter

    @property
    def count(self) -> int:
        """How many runs the race has in all, at most but for contenders and wider grids."""
        choices = self.choices
        runs = {rule: len(self.horizons(rule)) for rule in choices.rules}
        tuning = choices.tuning_seeds * sum(self.trials_of(rule) * n for rule, n in runs.items())
        references = self.references * runs[choices.reference]
        return choices.repetitions * (tuning + references + sum(runs.values()) * choices.eval_seeds)

    def trials_of(self, rule: str) -> int:
        """How many configurations of a rule are tuned on."""
        trials = self.choices.trials(rule)
        middle = trials[len(trials) // 2]
        return len(trials) + len(self.finer(rule, middle)) + len(self.finest(rule, middle))

    def with_grids(self, learning_rates: Mapping[str, tuple[float, ...]]) -> "Plan":
        """The same race over other learning rates."""
        return replace(self, choices=replace(self.choices, learning_rates=learning_rates))

    def to_json(self) -> str:
        """The plan as text; equal plans give equal text."""
        return json.dumps(asdict(self) | {"facts": self.facts._asdict()}, sort_keys=True)


def make_plan(choices: RaceConfig, rules: Mapping[str, Rule], facts: TaskInfo) -> Plan:
    """The whole plan, once the model and the data are known."""
    if choices.batch_size > facts.rows[0]:  # as in fit, a batch has all rows then
        note = (
            f"batch_size={choices.batch_size} is larger than the training data: a batch has all "
            f"{facts.rows[0]} rows"
        )
        choices = replace(choices, batch_size=facts.rows[0])
        facts = facts._replace(notes=(*facts.notes, note))
    measure = re.split("[<>]=", choices.target)[0].split()[-1:]
    if measure and measure[0] not in facts.measures:
        raise unknown(f"measure of {choices.task}", measure[0], facts.measures)
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


def repetition_of(seed: int) -> int:
    """Which repetition a run's seed belongs to.

    >>> repetition_of(2_030_007)
    3
    """
    return seed % STAGE_SEEDS // REPETITION_SEEDS


def step_operations(choices: RaceConfig, facts: TaskInfo) -> float:
    """Of one run; where they were not counted, those of dense layers."""
    return choices.batch_size * (facts.operations or 6 * facts.parameters)


def most_at_once(choices: RaceConfig) -> int:
    """The most runs of one rule that can go together, as a power of two that has room for them."""
    tuned = max(map(len, choices.learning_rates.values())) * choices.tuning_seeds
    return 1 << (max(tuned, choices.eval_seeds, REFERENCE_SEEDS) - 1).bit_length()


def lanes(facts: TaskInfo, operations: float, at_once: int) -> int:
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


def _most(facts: TaskInfo) -> tuple[int, int, float]:
    """What a worker does well with: lanes, bytes of them, operations of one in a segment."""
    if facts.engine == GPU:
        return GPU_LANES, GPU_LANE_BYTES, GPU_SEGMENT_OPERATIONS
    return LANES, LANE_BYTES, SEGMENT_OPERATIONS
