"""Whether a race evaluates a user's model as the user's framework does, asked on a few rows."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from ravine.errors import InvalidArgument
from ravine.experiment.plan import Plan, TaskInfo
from ravine.experiment.target import check_not_met
from ravine.rules.update_rule import Rule
from ravine.tasks.adapters.own_task import OwnTask
from ravine.tasks.adapters.pytree import leaves, mapped
from ravine.tasks.adapters.reference_evaluation import Scores

EXPECTED = "expected"  # in a file of weights: their evaluation by the user's framework
ROWS, PIECE = 12, 5  # rows that are compared, and how many of them are predicted at a time
RELATIVE, ABSOLUTE = 1e-4, 1e-5  # differences that are rounding in float32
HOLED = 3  # more of them, with targets that are NaN
NARROW = 3e-2  # relative, where layers compute with 16 bits
NOISE = 0.05  # of the weights, so that no layer is at a start such as zero that hides a fault
FIRST = 1e-3  # relative, over all rows of a split
ALL_ROWS, ALL_BYTES = 512, 1 << 21  # of the validation data, up to which all are compared
LAST_BITS, MARGIN = 1e-6, 20  # a relative change of the weights, and what it may do times over


class Evaluated(NamedTuple):
    """What an engine computes of the rows, with given weights."""

    in_pieces: Sequence[float]  # loss and metrics, predicted some rows at a time
    at_once: Sequence[float]
    training: float  # the loss of a batch in training
    penalty: float = 0.0  # what regularizes, in a held-out evaluation


# Of weights and state: the same rows by the race and by the framework.
Evaluator = Callable[[Sequence[Any], Sequence[Any]], tuple[Evaluated, Scores]]


class Checked(NamedTuple):
    """What came of a comparison: a note if there was none; how to score all validation rows.

    ``start`` is given where there are few of them: a function of weights and state, to what the
    framework says of them.
    """

    note: str = ""
    start: Callable[[Sequence[Any], Sequence[Any]], Any] | None = None


def check_evaluation(engine: Any, network: Any, task: Any, data: Any, drawn: Any) -> Checked:
    """Compare evaluations of a user's task in the race with those of the framework.

    Raises:
        InvalidArgument: If they differ by more than rounding, with the part that differs.
    """
    if not isinstance(task, OwnTask):
        return Checked()
    given = leaves(list(data.validation))
    whole = len(given[0]) <= ALL_ROWS and sum(array.nbytes for array in given) <= ALL_BYTES
    held_out = tuple(data.validation) if whole else _few(data.validation)
    training = _few(data.train)
    most = max(len(leaves(list(split))[0]) for split in (data.validation, data.test))
    # An engine that knows how many rows it predicts at once does not cut fewer.
    rows = PIECE if most > getattr(engine, "AT_ONCE", 0) else most
    try:
        evaluator = engine.evaluator(network, held_out, training, rows)
        now, _ = evaluator(drawn.trainable, drawn.state)
        found = _differences(network, evaluator, drawn, 0)
        # Where a metric counts decisions, rounding may turn one of them, but hardly twice.
        again = _differences(network, evaluator, drawn, 1) if found else {}
        draws = bool(found) and _draws(network, evaluator, drawn)
        if not draws:
            _check_padding(engine, network, task, drawn)
    except InvalidArgument:
        raise
    except Exception as error:  # a comparison that cannot be made says nothing about the model
        line = next(iter(str(error).splitlines()), "")
        return Checked(
            f"evaluation was not compared with the framework's: {type(error).__name__}: {line}"
        )
    for name, rows_of, value in (
        ("validation", held_out, now.at_once[0]),
        ("training", training, now.training),
    ):
        if _has_nan(rows_of[1]) and not np.isfinite(value):
            raise InvalidArgument(
                f"the loss of {name} rows is {float(value):g}, as targets hold nan: leave them out "
                "in the loss, fill them in, or leave those rows out"
            )
    if draws:
        return Checked("the model draws in evaluation, so that no two evaluations are the same")
    if lasting := [line for part, line in found.items() if part in again]:
        raise InvalidArgument(lasting[0])

    def start(trainable: Sequence[Any], state: Sequence[Any]) -> Any:
        now, native = evaluator(trainable, state)
        return _expected(now, native)

    return Checked(start=start if whole else None)


def _check_padding(engine: Any, network: Any, task: OwnTask, drawn: Any) -> None:
    """Raises ``InvalidArgument`` if a batch gives another loss once it is padded on."""
    weights = [_moved(np.random.default_rng(0), array, NOISE) for array in drawn.trainable]
    others = _with_seeds_of(network, drawn, 1)
    for narrow, padded in task.narrow:
        count = len(leaves(list(narrow))[0])
        try:
            before, after = (
                engine.evaluator(network, tuple(one), tuple(one), count) for one in (narrow, padded)
            )
            now, native = before(weights, drawn.state)
            ours, _ = after(weights, drawn.state)
        except Exception as error:
            raise InvalidArgument(
                "rows have different lengths and are padded to the longest of all, and a batch as "
                f"it was given cannot be evaluated: {type(error).__name__}: "
                f"{next(iter(str(error).splitlines()), '')}: pad all rows to one length"
            ) from error
        pairs = [(_expected(now, native)[0], ours.at_once[0], "as validation rows")]
        if not _apart(now.training, before(weights, others)[0].training, ABSOLUTE):  # none drawn
            pairs.append((native.training, ours.training, "in training"))
        for wanted, value, how in pairs:
            if _apart(float(value), float(wanted), _slack(network, abs(float(wanted)))):
                raise InvalidArgument(
                    f"rows have different lengths and are padded to the longest of all, and the "
                    f"model does not mask what is padded: the loss of a batch {how} is "
                    f"{float(wanted):.5g} as it was given, {float(value):.5g} so; mask it, such as "
                    "by Embedding(mask_zero=True), Masking() or by lengths next to x, or pad all "
                    "rows to one length, such as by padded_batch(32, padded_shapes=([20], []))"
                )


def _with_seeds_of(network: Any, drawn: Any, seed: int) -> list[Any]:
    pairs = zip(drawn.state, network.draw(seed).state, strict=True)
    return [other if one.dtype.kind in "iu" else one for one, other in pairs]


def check_starts(rule: Rule, given: Sequence[Mapping[str, Any]], start: Any, plan: Plan) -> None:
    """Compare first evaluations of validation rows with what the framework found, where it did.

    And what the user wants to reach with what is reached without training.

    Args:
        rule: The rule of the runs, which are not compared if it reads its weights otherwise.
        given: Of each run what its file of initial weights holds.
        start: What was measured, (runs, splits, measures).
        plan: That of the race.

    Raises:
        InvalidArgument: If they differ by more than rounding, with the part that differs, or if the
            target of the user's own is met before step one.
    """
    check_not_met(plan.choices.target, plan.facts.measures, np.asarray(start)[0])
    for held, measured in zip(given, np.asarray(start), strict=False):
        if EXPECTED in held and _reads_weights(rule):
            _check_start(held[EXPECTED][0], measured[0], plan.facts)


def _check_start(expected: Any, start: Any, facts: TaskInfo) -> None:
    for name, wanted, value in zip(facts.measures, expected, start, strict=True):
        slack = FIRST * abs(wanted) + ABSOLUTE + (2 / facts.rows[1] if name != "loss" else 0)
        if _apart(float(value), float(wanted), slack):
            what = "loss" if name == "loss" else f"metric '{name}'"
            raise InvalidArgument(
                f"the {what} of the validation data before step one is {value:.5g} in the race and "
                f"{wanted:.5g} by the framework's own evaluation, of the same weights and rows: "
                "the race would tune by a number that is not yours"
            )


def _reads_weights(rule: Rule) -> bool:
    """Whether a rule is judged, before step one, by the weights that it was given."""
    with suppress(Exception):  # a rule that takes no arrays of NumPy
        ones = np.ones(2, np.float32)
        return np.array_equal(np.asarray(rule.read(ones, rule.init(ones), 0.0)), ones)
    return False


def _draws(network: Any, evaluator: Evaluator, drawn: Any) -> bool:
    """Whether held-out scores change with the seeds in the model's state alone."""
    seeds = _with_seeds_of(network, drawn, 1)
    one, _ = evaluator(drawn.trainable, drawn.state)
    other, _ = evaluator(drawn.trainable, seeds)
    return not np.allclose(one.at_once, other.at_once, rtol=RELATIVE, equal_nan=True)


def _expected(now: Evaluated, native: Scores) -> Any:
    """The framework's scores, of the predictions alone."""
    found = np.array(native.held_out, np.float64)
    found[0] -= now.penalty
    return found


def _few(split: Any) -> tuple[Any, Any]:
    """Some rows from all over a split, with some whose targets are not all known."""
    targets = leaves(split[1])
    spaced = np.linspace(0, len(targets[0]) - 1, ROWS).astype(int)
    holed = [_rows_with_nan(array)[:HOLED] for array in targets]
    at = np.unique(np.concatenate([spaced, *holed]))
    x, y = (mapped(lambda array: np.array(array[at]), part) for part in split)
    return x, y


def _rows_with_nan(array: Any) -> Any:
    if array.dtype.kind != "f":
        return np.array([], int)
    return np.flatnonzero(np.isnan(array).reshape(len(array), -1).any(1))


def _has_nan(y: Any) -> bool:
    return any(len(_rows_with_nan(np.asarray(array))) > 0 for array in leaves(y))


def _differences(network: Any, evaluator: Evaluator, drawn: Any, seed: int) -> dict[str, str]:
    """What differs at weights near the initial ones: each part with a line about it."""
    draw = np.random.default_rng(seed)
    weights = [_moved(draw, array, NOISE) for array in drawn.trainable]
    nearby = [_moved(draw, array, LAST_BITS) for array in weights]
    now, native = evaluator(weights, drawn.state)
    rounded, _ = evaluator(nearby, drawn.state)
    expected = _expected(now, native)
    whole, pieces = (np.array(one, np.float64) for one in (now.at_once, now.in_pieces))
    found = {}
    for i, name in enumerate(network.measures):
        what = "loss" if i == 0 else f"metric '{name}'"
        size = max(abs(expected[i]), abs(native.held_out[i]))
        slack = _slack(network, size) + MARGIN * abs(whole[i] - rounded.at_once[i])
        if _apart(whole[i], expected[i], slack):
            found[what] = (
                f"the {what} of validation rows is {whole[i]:.5g} in the race, and "
                f"{expected[i]:.5g} as {network.framework}'s own evaluation computes it, of the "
                "same weights and rows: the race would tune by a number that is not yours"
            )
        elif _apart(pieces[i], whole[i], slack):
            found[what] = (
                f"the {what} of validation rows is {pieces[i]:.5g} where {PIECE} rows are "
                f"predicted at a time, and {whole[i]:.5g} where all are: what the model makes of a "
                "row depends on other rows, so that no evaluation of it is well defined"
            )
    slack = _slack(network, abs(native.training)) + MARGIN * abs(now.training - rounded.training)
    if _apart(now.training, native.training, slack):
        found["training"] = (
            f"the loss of a training batch is {now.training:.5g} in the race, and "
            f"{native.training:.5g} as {network.framework} trains, of the same weights and rows"
        )
    return found


def _moved(draw: Any, array: Any, share: float) -> Any:
    if not np.issubdtype(array.dtype, np.floating) and array.dtype.name != "bfloat16":
        return array
    size = (
        max(0.1, float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))) if array.size else 0
    )
    noise = draw.uniform(-1, 1, array.shape)
    return (array + share * size * noise).astype(array.dtype)


def _slack(network: Any, size: float) -> float:
    relative = NARROW if getattr(network, "narrow", False) else RELATIVE
    return relative * (float(np.nan_to_num(size)) or 0) + ABSOLUTE


def _apart(one: float, other: float, slack: float) -> bool:
    if not np.isfinite(one) or not np.isfinite(other):
        return not (np.isnan(one) and np.isnan(other)) and one != other
    return bool(abs(one - other) > np.nan_to_num(slack))
