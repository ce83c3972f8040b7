"""Where a task owns its rows, every seed splits them anew, and its run keeps to its own parts."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

import ravine
from ravine.execution import session
from ravine.experiment.curve import Curve
from ravine.storage.store import Store
from ravine.tasks import find
from ravine.tasks.tables import Table
from ravine.training.batches import batch_rows

OWNED = (
    "digits-autoencoder",
    "digits-cnn",
    "digits-deep",
    "digits-mlp",
)


X = np.random.default_rng(0).normal(size=(1500, 4)).astype("float32")
Y = (X @ [1, 2, 3, 4] + np.random.default_rng(1).normal(size=1500)).astype("float32")
TASK = ravine.Task.from_jax(
    lambda key: 5 * jnp.ones(4), lambda w, x, y: (x @ w - y) ** 2, (X, Y), name="line"
)


def table(name: str) -> Table:
    found = find(name).load
    assert isinstance(found, Table)
    return found


@pytest.mark.parametrize("name", OWNED)
def test_every_seed_has_each_row_once_and_parts_of_one_size(name: str) -> None:
    load = table(name)
    rows = [len(split.x) for split in load()]
    parts = {seed: load.places(seed) for seed in (0, 1, 2, 12345)}
    for places in parts.values():
        assert [len(part) for part in places] == rows
        np.testing.assert_array_equal(np.sort(np.concatenate(places)), np.arange(sum(rows)))
    held_out = [tuple(sorted(places[2])) for places in parts.values()]
    assert len(set(held_out)) == len(held_out)
    np.testing.assert_array_equal(np.concatenate(parts[0]), np.arange(sum(rows)))


def test_each_class_has_its_share_in_every_part() -> None:
    load = table("digits-mlp")
    digits = np.concatenate([split.y for split in load()])
    shares = np.bincount(digits) / len(digits)
    for part in load.places(7):
        found = np.bincount(digits[part]) / len(part)
        np.testing.assert_allclose(found, shares, atol=1.5 / len(part))


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[Curve]]:
    """Plan and curves of linear regression by gradient descent."""
    out = tmp_path_factory.mktemp("race") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "publish_pages", lambda race: None)  # nothing is looked at
        ravine.race(
            TASK, rules=["sgd"], learning_rates=[0.01, 0.02], epochs=1, tuning_seeds=2,
            eval_seeds=2, workers=0, progress=False, out=out,
        )  # fmt: skip
    store = Store(out, reading=True)
    curves = [curve for curve in store.curves() if curve.run.steps == len(curve.losses)]
    plan = store.plan
    store.close()
    return plan, curves


def by_hand(rate: float, x: NDArray[Any], y: NDArray[Any], batches: NDArray[Any]) -> Any:
    """Weights after gradient descent on squared errors, in float64; and losses on the way."""
    w, losses = np.full(4, 5.0), []
    for rows in batches:
        off = x[rows] @ w - y[rows]
        losses.append((off**2).mean())
        w = w - rate * 2 * x[rows].T @ off / len(off)
    return w, losses


def test_a_run_trains_on_its_seeds_rows_and_is_judged_on_its_seeds_rows(
    raced: tuple[Any, list[Curve]],
) -> None:
    plan, curves = raced
    assert plan.facts.anew
    assert plan.facts.blocks == 0
    load: Any = TASK.load
    x, y = (np.concatenate(part).astype(np.float64) for part in zip(*load(), strict=True))
    assert len({curve.run.seed for curve in curves}) >= 4
    for curve in curves:
        run, (train, *held_out) = curve.run, load.places(curve.run.seed)
        batches = train[batch_rows(run.seed, len(train), plan.choices.batch_size, run.steps)]
        w, losses = by_hand(run.learning_rate, x, y, batches)
        np.testing.assert_allclose(curve.losses, losses, rtol=1e-4)
        for measured, rows in zip(curve.measures[-1], held_out, strict=True):
            np.testing.assert_allclose(
                measured[0], ((x[rows] @ w - y[rows]) ** 2).mean(), rtol=1e-4
            )


def test_a_digest_tells_which_rows_a_run_took(raced: tuple[Any, list[Curve]]) -> None:
    by_seed: dict[int, set[str]] = {}
    for curve in raced[1]:
        by_seed.setdefault(curve.run.seed, set()).add(curve.batches_digest)
    assert all(len(found) == 1 for found in by_seed.values())
    assert len(set.union(*by_seed.values())) == len(by_seed)


@pytest.mark.parametrize(
    "name", ["breast-cancer-logistic", "diabetes-linear", "quadratic-deep", "text-transformer"]
)
def test_a_task_of_few_rows_or_of_a_given_split_keeps_it(name: str) -> None:
    assert not hasattr(find(name).load, "places")
