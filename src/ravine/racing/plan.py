"""What a race will run, settled and checked before anything runs."""

import hashlib
import inspect
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import CodeType
from typing import Any, NamedTuple

from ravine.errors import WrongCall, unknown
from ravine.frameworks.spelling import read_schedule
from ravine.racing import stopping
from ravine.rules import RULES
from ravine.update_rule import Rule
from ravine.wrapping import Scheduled
from ravine.wrapping.wrapper import innermost, inside

BASELINE = "sgd"
REFERENCE_SEEDS = 10
EVALUATIONS = 100  # a run, about: fine enough to time, cheap beside the training
LANE_BYTES = 1 << 20  # lanes × parameters × 16 bytes stay within a core's L2 cache
LANES = 8  # more gain nothing, unless it was measured otherwise
LONE_STEP = 5e6  # operations of a step from which on one lane at a time is fastest
SEGMENT_OPERATIONS = 2e11  # some 10 s of one core: what a crash may cost
SEGMENT_ROWS = 1 << 22  # numbers of a segment's batches: what bounds a worker's memory
# Seeds of the three stages never meet: what was tuned on is not judged on.
FIRST_SEED = {"tuning": 0, "reference": 1_000_000, "fresh": 2_000_000}


class Facts(NamedTuple):
    """What building the task's model and loading its data taught."""

    parameters: int
    rows: tuple[int, ...]  # train, validation, test
    measures: tuple[str, ...]
    digest: str  # of the model's configuration and all data
    # The defaults are what races did from before there was a choice.
    operations: float = 0.0  # of a training step, a row of the batch; 0: not counted
    frozen_order: bool = False  # whether every epoch has the same batches
    shared: tuple[float, ...] = (0.0, 0.0, 0.0)  # rows: see ``inspection.Shared``
    repeats: int = 0  # steps after which batches of the task's own size repeat; 0: they do not


@dataclass(frozen=True)
class Choices:
    """What the user decided. Learning rates are by the rule's spelling."""

    task: str
    rules: tuple[str, ...]
    learning_rates: Mapping[str, tuple[float, ...]]
    seeds: int
    fresh_seeds: int
    epochs: int
    batch_size: int
    # The defaults are what races did from before there was a choice.
    schedule: str = "constant"  # of every rule's learning rate
    early_stopping: bool = False  # of tuning runs without hope


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

    @property
    def evaluations(self) -> int:
        """How often a run is evaluated after its start."""
        return self.steps // self.period

    @property
    def operations(self) -> float:
        """Floating point operations of a step of one run."""
        return step_operations(self.choices, self.facts)

    @property
    def rungs(self) -> tuple[int, ...]:
        """After which evaluations hopeless learning rates are stopped, in tuning."""
        return stopping.rungs(self.evaluations) if self.choices.early_stopping else ()

    def cuts(self, stage: str) -> tuple[int, ...]:
        """After which evaluations a run's segments end; the last is its own end."""
        found, begun = [], 0
        for end in (*(self.rungs if stage == "tuning" else ()), self.evaluations):
            found += [*range(begun + self.segment, end, self.segment), end]
            begun = end
        return tuple(found)

    def tuning(self) -> list[Run]:
        """Every rule at every learning rate of its grid, on the tuning seeds."""
        return [
            self.run("tuning", rule, rate, seed)
            for rule in self.choices.rules
            for rate in self.choices.learning_rates[rule]
            for seed in range(self.choices.seeds)
        ]

    def judging(self, chosen: Mapping[str, float]) -> list[Run]:
        """The reference runs and each rule's chosen learning rate, on seeds not tuned on."""
        reference = [
            self.run("reference", BASELINE, chosen[BASELINE], seed)
            for seed in range(REFERENCE_SEEDS)
        ]
        return reference + [
            self.run("fresh", rule, chosen[rule], seed)
            for rule in self.choices.rules
            for seed in range(self.choices.fresh_seeds)
        ]

    def run(self, stage: str, rule: str, learning_rate: float, seed: int) -> Run:
        """The ``seed``-th run of a stage."""
        seed += FIRST_SEED[stage]
        decisive = [self.facts, self.sources[rule], learning_rate, seed, self.choices.batch_size]
        decisive += [self.steps, self.period, self.segment, self.width]
        return Run(digest(decisive)[:16], stage, rule, learning_rate, seed)

    @property
    def count(self) -> int:
        """How many runs the race has in all."""
        grid = sum(len(rates) for rates in self.choices.learning_rates.values())
        judging = REFERENCE_SEEDS + len(self.choices.rules) * self.choices.fresh_seeds
        return grid * self.choices.seeds + judging

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
        facts = fields.pop("facts")
        facts |= {k: tuple(v) for k, v in facts.items() if isinstance(v, list)}
        return cls(Choices(**choices), Facts(**facts), **fields)


def digest(value: Any) -> str:
    """SHA-256 of a value as JSON, or of bytes."""
    data = value if isinstance(value, bytes) else json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()


def source_digest(rule: Rule) -> str:
    """A digest of the code that a rule's results depend on, and of its hyperparameters."""
    mro = [kind for held in inside(rule) for kind in type(held).__mro__]
    kinds = [kind for kind in mro if issubclass(kind, Rule) and kind is not Rule]
    code = [_source(kind) for kind in kinds]
    values = {k: v for k, v in rule.values().items() if k != "learning_rate"}
    return digest([code, values])


def _source(kind: type) -> str:
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):  # typed into a console: there is no text to read
        methods = [inspect.unwrap(m) for m in vars(kind).values() if inspect.isfunction(m)]
        return repr([(m.__name__, _compiled(m.__code__)) for m in methods])


def _compiled(code: CodeType) -> list[Any]:
    inner = [_compiled(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return [code.co_code, code.co_names, inner]


def choose(
    task: Any,
    rules: Sequence[Rule],
    learning_rates: str | Sequence[float] | Mapping[str, Sequence[float]] | None,
    seeds: int,
    fresh_seeds: int,
    epochs: int | None,
    batch_size: int | None,
    schedule: str = "constant",
    early_stopping: bool = True,
) -> tuple[Choices, dict[str, Rule]]:
    """Check what the user asked for as far as it can be without building the model.

    Gradient descent joins where it is missing: everything is measured against it. Returns the
    choices, and the rules by their spelling.
    """
    if not rules:
        raise WrongCall(f"no rules given; known: {', '.join(RULES)}")
    by_name: dict[str, Rule] = {}
    for rule in rules:
        if rule.learning_rate != rule.defaults()["learning_rate"]:
            raise WrongCall(
                f"{rule}: the race searches the learning rate itself; leave it out here and "
                "narrow the search with --learning-rates (learning_rates=) if you like"
            )
        if str(rule) in by_name:
            raise WrongCall(f"rule '{rule}' is listed twice")
        by_name[str(rule)] = rule
    if BASELINE not in by_name:
        by_name = {BASELINE: RULES[BASELINE](), **by_name}
    for rule in by_name.values():
        scheduled(rule, schedule, steps=1)  # which says what cannot be
    counts = {
        "seeds": seeds,
        "fresh_seeds": fresh_seeds,
        "epochs": task.epochs if epochs is None else epochs,
        "batch_size": task.batch_size if batch_size is None else batch_size,
    }
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise WrongCall(f"{name}={count!r} is not allowed: give a whole number of at least 1")
    grids = _grids(task, by_name, learning_rates)
    choices = Choices(
        task.name,
        tuple(by_name),
        grids,
        **counts,
        schedule=schedule,
        early_stopping=early_stopping,
    )
    return choices, by_name


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
        raise WrongCall(f"{rule} has a schedule of its own: race it without schedule={schedule}")
    return Scheduled(rule, steps=float(steps), **curve)


def settle(choices: Choices, rules: Mapping[str, Rule], facts: Facts) -> Plan:
    """The whole plan, once the model and the data are known."""
    if choices.batch_size > facts.rows[0]:
        raise WrongCall(
            f"batch_size={choices.batch_size} is larger than the training data: "
            f"{choices.task} has {facts.rows[0]} rows"
        )
    wanted = choices.epochs * (facts.rows[0] // choices.batch_size)
    period = math.ceil(wanted / EVALUATIONS)
    evaluations = math.ceil(wanted / period)
    steps = evaluations * period
    operations = step_operations(choices, facts)
    numbers = LANES * period * choices.batch_size
    most = min(evaluations, SEGMENT_OPERATIONS // (operations * period), SEGMENT_ROWS // numbers)
    raced = {name: scheduled(rule, choices.schedule, steps) for name, rule in rules.items()}
    return Plan(
        choices=choices,
        facts=facts,
        sources={name: source_digest(rule) for name, rule in raced.items()},
        steps=steps,
        period=period,
        segment=max(1, int(most)),
        width=lanes(facts, operations),
    )


def step_operations(choices: Choices, facts: Facts) -> float:
    """Of one run; where they were not counted, those of dense layers."""
    return choices.batch_size * (facts.operations or 6 * facts.parameters)


def lanes(facts: Facts, operations: float) -> int:
    """How many runs a program takes at once, by rule of thumb: a power of two."""
    if operations > LONE_STEP:
        return 1
    fitting = max(1, min(LANES, LANE_BYTES // (16 * max(1, facts.parameters))))
    return 1 << (fitting.bit_length() - 1)


def log_grid(low: float, high: float, count: int) -> tuple[float, ...]:
    """``count`` learning rates from ``low`` to ``high``, evenly spaced on a log scale."""
    if not (0 < low < math.inf and 0 < high < math.inf):
        raise WrongCall(f"learning rates {low:g}:{high:g} are not allowed: both must be > 0")
    if count == 1 and low == high:
        return (low,)
    if low == high:
        raise WrongCall(f"from {low:g} to {high:g} there is one learning rate, not {count}")
    if low > high:
        raise WrongCall(f"learning rates {low:g}:{high:g} run backwards: write {high:g}:{low:g}")
    if count < 2:
        raise WrongCall(f"{count} learning rates from {low:g} to {high:g}: give at least 2")
    ratio = (high / low) ** (1 / (count - 1))
    # Six digits: a rate that people can read and type gives the same run.
    return tuple(float(f"{low * ratio**k:.6g}") for k in range(count))


def _grids(task: Any, rules: Mapping[str, Rule], given: Any) -> dict[str, tuple[float, ...]]:
    if isinstance(given, Mapping):
        for name in given:
            if name not in rules:
                raise unknown("rule in learning_rates", str(name), rules)
        return {
            name: _rates(given[name]) if name in given else _own_range(task, name, rule)
            for name, rule in rules.items()
        }
    if given is not None:
        return dict.fromkeys(rules, _rates(given))
    return {name: _own_range(task, name, rule) for name, rule in rules.items()}


def _own_range(task: Any, name: str, rule: Rule) -> tuple[float, ...]:
    """Nine points over the four decades that the task, or else the rule, says are worth it."""
    declared = rule.hyperparameters()["learning_rate"].search
    interval = task.learning_rates.get(innermost(rule).name, declared)
    if interval is None:
        raise WrongCall(f"{name} declares no range to search for its learning rate: give one")
    return log_grid(interval[0], interval[1], 9)


def _rates(given: str | Sequence[float]) -> tuple[float, ...]:
    if isinstance(given, str):
        try:
            if ":" in given:
                low, high, count = given.split(":")
                interval = float(low), float(high), int(count)
            else:
                interval, given = None, [float(rate) for rate in given.split(",")]
        except ValueError:
            raise WrongCall(
                f"cannot read the learning rates {given!r}: write LO:HI:N, such as 1e-4:1:9, "
                "or a list, such as 0.1,0.3,1"
            ) from None
        if interval is not None:
            return log_grid(*interval)
    if isinstance(given, int | float):
        given = (given,)
    rates = sorted({float(rate) for rate in given})
    for rate in rates:
        if not 0 < rate < math.inf:
            raise WrongCall(f"learning rate {rate:g} is not allowed: it must be > 0 and finite")
    if not rates:
        raise WrongCall("no learning rates given")
    return tuple(rates)
