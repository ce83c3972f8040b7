"""What a race's file must hold: checked once, as it is read, so that what reads on can trust it.

The file may be damaged, or a stranger's. Types are checked by msgspec, after the classes that
they become; what the numbers may be, and how they fit together, is said here.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, NoReturn, TypeAlias, TypedDict

import msgspec

from ravine.experiment.config import (
    MOST_REPETITIONS,
    OBJECTIVES,
    REPETITION_SEEDS,
    TUNED,
    RaceConfig,
)
from ravine.experiment.engines import FILES
from ravine.experiment.plan import STAGES, Plan, Run, TaskInfo
from ravine.storage.splits import BLOCKS

MOST_STEPS, MOST_RATES, MOST_LANES = 10**9, 10_000, 1 << 12
ROWS = 10**12
FLOATS = ("float32", "float64")
ByName = dict[str, Any]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[\w.-]+$")]


class Best(TypedDict, total=False):
    """What is known of the winner's model that is kept; see ``winner``."""

    file: Name | None  # in the folder itself, wherever that is
    note: str
    task: str
    run: str
    learning_rate: float
    seed: Count
    validation: dict[str, float]
    test: dict[str, float]


class Checked(TypedDict):
    """A claim that was run again; see ``analysis.replication.Check``."""

    rule: str
    chosen: dict[str, dict[str, float]]
    target: tuple[float, Count, bool, Count]
    seeds: Count
    repetition: Count
    targets: list[float]


class Confirmed(Checked):
    """The same in a framework; see ``analysis.crosscheck.Confirmation``."""

    framework: str
    optimizers: dict[str, str]


# What is kept beside the plan.
META: Mapping[str, Any] = {
    "format": int,
    "plan": str,
    "machine": dict[str, str | int | float | None] | None,
    "versions": dict[str, str] | None,
    "command": str | None,
    "rules": dict[str, ByName],
    "step_seconds": dict[str, list[float]] | None,
    "cost": dict[str, float] | None,
    "best": Best | None,
    "checks": list[Checked] | None,
    "confirmations": list[Confirmed] | None,
    "crosscheck": str | None,
    "others": dict[str, float],  # hyperparameters of a run
}
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE runs (
    id TEXT PRIMARY KEY, stage TEXT NOT NULL, rule TEXT NOT NULL,
    learning_rate REAL NOT NULL, others TEXT NOT NULL, seed INTEGER NOT NULL,
    steps INTEGER NOT NULL, weights_digest TEXT NOT NULL, batches_digest TEXT NOT NULL,
    start BLOB NOT NULL
);
CREATE TABLE segments (
    run TEXT NOT NULL REFERENCES runs(id), segment INTEGER NOT NULL,
    losses BLOB NOT NULL, measures BLOB NOT NULL,
    PRIMARY KEY (run, segment)
);
CREATE TABLE marks (
    run TEXT PRIMARY KEY, stage TEXT NOT NULL, rule TEXT NOT NULL,
    learning_rate REAL NOT NULL, others TEXT NOT NULL, seed INTEGER NOT NULL,
    steps INTEGER NOT NULL, width INTEGER NOT NULL, failure TEXT NOT NULL
);
CREATE TABLE stopped (run TEXT PRIMARY KEY);
CREATE TABLE elsewhere (
    framework TEXT NOT NULL, run TEXT NOT NULL, random INTEGER NOT NULL,
    measures BLOB NOT NULL, seconds BLOB NOT NULL, PRIMARY KEY (framework, run)
);
"""
COLUMNS = {  # of those tables, in order
    "runs": tuple[str, str, str, float, str, int, int, str, str, bytes],
    "segments": tuple[str, int, bytes, bytes],
    "marks": tuple[str, str, str, float, str, int, int, int, str],
    "stopped": tuple[str],
    "elsewhere": tuple[str, str, int, bytes, bytes],
}


class Foreign(ValueError):
    """What is read is not what a race writes."""


def read(text: Any, key: str) -> Any:
    """A value that is kept beside the plan. Raises ``Foreign``."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError, TypeError) as error:
        _refuse(key, str(error))
    return converted(value, META[key], key) if key in META else value


def row(values: tuple[Any, ...], table: str) -> Any:
    """A row of a table. Raises ``Foreign``."""
    return converted(values, COLUMNS[table], table)


def converted(value: Any, kind: Any, what: str) -> Any:
    """A value of JSON as what it is to be. Raises ``Foreign``."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        _refuse(what, str(error))


def read_plan(text: str) -> Plan:
    """The plan that ``Plan.to_json`` wrote. Raises ``Foreign``, naming what is wrong."""
    try:
        fields = converted(json.loads(text), ByName, "plan")
    except (ValueError, RecursionError) as error:
        _refuse("plan", str(error))
    facts = converted(fields.get("facts"), ByName, "plan.facts")
    known = TaskInfo._field_defaults | facts
    lacking = [name for name in TaskInfo._fields if name not in known]
    if lacking:
        _refuse("plan.facts", f"lacks {', '.join(lacking)}")
    in_order = [known[name] for name in TaskInfo._fields]
    plan: Plan = converted(fields | {"facts": in_order}, Plan, "plan")
    _check_choices(plan.choices, plan)
    _check_facts(plan.facts)
    choices, shared = plan.choices, set(plan.choices.rules)
    steps = 1 <= plan.period <= plan.steps <= MOST_STEPS and plan.steps % plan.period == 0
    _expect(steps, "plan.steps", f"{plan.steps} steps in periods of {plan.period}")
    sizes = plan.segment >= 1 and 1 <= plan.width <= MOST_LANES
    _expect(sizes, "plan", f"segments of {plan.segment}, {plan.width} lanes")
    _expect(set(plan.sources) >= shared, "plan.sources", "a rule is not there")
    _expect(set(plan.decaying) <= shared, "plan.decaying", "a rule that is not raced")
    _expect(bool(choices.rules), "plan.choices.rules", "none")
    return plan


def _check_choices(choices: RaceConfig, plan: Plan) -> None:
    rules = choices.rules
    _expect(len(set(rules)) == len(rules), "plan.choices.rules", "a rule twice")
    _expect(choices.reference in rules, "plan.choices.reference", repr(choices.reference))
    for name in ("tuning_seeds", "eval_seeds", "epochs", "batch_size", "repetitions"):
        _expect(getattr(choices, name) >= 1, f"plan.choices.{name}", str(getattr(choices, name)))
    few = (
        max(choices.tuning_seeds, choices.eval_seeds) <= REPETITION_SEEDS
        and choices.repetitions <= MOST_REPETITIONS
    )
    _expect(few, "plan.choices", "more seeds than there are")
    _expect(choices.epochs <= MOST_STEPS, "plan.choices.epochs", str(choices.epochs))
    _expect(choices.objective in OBJECTIVES, "plan.choices.objective", repr(choices.objective))
    _expect(choices.tune in TUNED, "plan.choices.tune", repr(choices.tune))
    _expect(choices.points == 0 or 2 <= choices.points <= MOST_RATES, "plan.choices.points", "")
    for rule in rules:
        rates = choices.learning_rates.get(rule, ())
        where = f"plan.choices.learning_rates.{rule}"
        _expect(1 <= len(rates) <= MOST_RATES, where, f"{len(rates)} learning rates")
        ascending = all(a < b for a, b in pairwise(rates))
        _expect(ascending or bool(choices.search), where, "not in order")
        _expect(all(0 < x < math.inf for x in rates), where, "one is not positive")
        for name, values in choices.others.get(rule, {}).items():
            _expect(len(values) == len(rates), f"plan.choices.others.{rule}.{name}", "too few")
    if choices.target:
        found = re.fullmatch(r"(?:(validation|test|training) )?(.+)[<>]=(.+)", choices.target)
        known = found is not None and found[2] in plan.facts.measures and _number(found[3])
        _expect(known, "plan.choices.target", repr(choices.target))


def _check_facts(facts: TaskInfo) -> None:
    rows = len(facts.rows) == 3 and all(1 <= n <= ROWS for n in facts.rows)
    _expect(rows, "plan.facts.rows", str(facts.rows))
    _expect(bool(facts.measures), "plan.facts.measures", "none")
    _expect(facts.parameters >= 0, "plan.facts.parameters", str(facts.parameters))
    _expect(0 <= facts.operations < math.inf, "plan.facts.operations", str(facts.operations))
    _expect(len(facts.shared) == 3, "plan.facts.shared", str(facts.shared))
    _expect(facts.engine in FILES, "plan.facts.engine", repr(facts.engine))
    _expect(facts.floats in FLOATS, "plan.facts.floats", repr(facts.floats))
    _expect(facts.blocks in (0, BLOCKS), "plan.facts.blocks", str(facts.blocks))


def check_rules(rules: Any, plan: Plan) -> dict[str, ByName]:
    """The hyperparameters of each rule. Raises ``Foreign`` where some are not there."""
    lacking = [rule for rule in plan.choices.rules if rule not in (rules or {})]
    _expect(not lacking, "rules", f"lacks {', '.join(lacking)}")
    found: dict[str, ByName] = rules
    return found


def check_tables(kinds: Mapping[str, str]) -> None:
    """Raises ``Foreign`` where not all tables are there, or more than tables and indices."""
    for name in ("meta", *COLUMNS):
        _expect(kinds.get(name) == "table", f"it has no table '{name}'", "")
    _expect(set(kinds.values()) <= {"table", "index"}, "it has views or triggers", "")


def check_run(run: Run, plan: Plan) -> None:
    """Raises ``Foreign`` for a run that the plan has no place for."""
    where = f"the run '{run.id}'"
    _expect(run.rule in plan.choices.rules, where, f"of the rule {run.rule!r}")
    _expect(run.stage in STAGES, where, f"of the stage {run.stage!r}")
    _expect(0 < run.learning_rate < math.inf, where, f"at the rate {run.learning_rate}")
    whole = 1 <= run.steps <= plan.steps and run.steps % plan.period == 0
    _expect(whole, where, f"of {run.steps} steps")
    known = plan.id_of(run.rule, run.configuration, run.seed, run.steps)
    _expect(run.id == known, where, "is not what its row says")


def check_sizes(
    run: Run,
    plan: Plan,
    shape: tuple[int, int, int],
    start: bytes,
    parts: Sequence[tuple[bytes, bytes]],
) -> None:
    """Raises ``Foreign`` where a run's blobs are not as long as the plan says.

    ``shape`` is of what was measured, (evaluations, splits, measures); ``parts`` are its segments.
    """
    each = shape[1] * shape[2]
    expect_bytes(start, each, f"the start of the run '{run.id}'")
    cuts = (0, *plan.cuts(run))
    _expect(len(parts) < len(cuts), f"the run '{run.id}'", f"{len(parts)} segments")
    for i, (losses, measured) in enumerate(parts):
        where, evaluations = f"segment {i} of the run '{run.id}'", cuts[i + 1] - cuts[i]
        expect_bytes(losses, evaluations * plan.period, where)
        expect_bytes(measured, evaluations * each, where)


def _number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def expect_bytes(blob: bytes, numbers: int, where: str) -> None:
    """Raises ``Foreign`` where a blob does not hold so many numbers of 32 bits."""
    _expect(len(blob) == 4 * numbers, where, f"{len(blob)} bytes for {numbers} numbers")


def _expect(holds: bool, where: str, what: str) -> None:
    if not holds:
        _refuse(where, what)


def _refuse(where: str, what: str) -> NoReturn:
    line = next(iter(what.splitlines()), "")[:200]
    raise Foreign(f"{where}: {line}" if line else where)
