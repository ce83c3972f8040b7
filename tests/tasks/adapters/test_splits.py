"""How rows are split off: at random, in their order, by group; and it is said."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tasks.adapters.split_rows import data_of

import ravine
from ravine.errors import InvalidArgument
from ravine.tasks.adapters.splitting import Splitting

draw = np.random.default_rng(0)
X = np.arange(100, dtype="float32")[:, None]
NOISE = draw.normal(size=(100, 3)).astype("float32")
Y = draw.normal(size=100).astype("float32")


def mean_loss(w: Any, x: Any, y: Any) -> Any:
    return (x @ w - y) ** 2


def task(x: Any = X, y: Any = Y, **options: Any) -> Any:
    return ravine.Task.from_model(lambda: None, (x, y), loss="mse", **options)


def rows(found: Any) -> list[list[float]]:
    return [split.x[:, 0].tolist() for split in found.load()]


def test_the_last_rows_are_held_out_in_their_order() -> None:
    found = task(split="last")
    assert rows(found) == [[*range(60)], [*range(60, 80)], [*range(80, 100)]]
    assert "split off the last rows, in their order" in found.description
    given_one = task(split="last", validation_data=(X[:5], Y[:5]))
    assert rows(given_one) == [[*range(80)], [*range(5)], [*range(80, 100)]]


@given(st.lists(st.integers(0, 12), min_size=10, max_size=80), st.booleans(), st.integers(0, 3))
def test_rows_of_one_group_are_on_one_side(labels: list[int], last: bool, seed: int) -> None:
    if len(set(labels)) < 3:
        return
    how = Splitting("last" if last else "random", np.array(labels))
    parts = how.held_out(len(labels), [0.2, 0.2], None, seed)
    assert sorted(np.concatenate(parts)) == [*range(len(labels))]
    groups = [{labels[row] for row in part} for part in parts]
    assert all(groups)
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]


def make_model() -> None:
    """Is not called here."""


@pytest.mark.parametrize(
    "options",
    [
        {"split": "last"},
        {"groups": np.arange(100) // 5, "split": "random"},
        {"validation_split": 0.3},
        {"validation_data": (X[:5], Y[:5]), "test_data": (X[5:9], Y[5:9])},
        {"class_weight": {0: 1.0, 1: 3.0}},
        {"augment": lambda x, key: x},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_to_run_again_splits_the_same_rows(options: Any) -> None:
    y = Y if "class_weight" not in options else (Y > 0).astype(int)
    found = ravine.Task.from_model(make_model, (X, y), loss="mse", **options)
    # A function without a name is for whoever reads it to fill in.
    code = found.call.replace("make_model", "model", 1).replace("augment=…", "augment=augment")
    told = {"Task": ravine.Task, "model": make_model, "data": (X, y), **options}
    again = eval(f"Task.from_model({code})", told)  # our own words
    assert again.description == found.description
    assert rows(again) == rows(found)
    assert [name for name in options if f"{name}=" not in found.call] == []


def test_groups_of_equal_size_have_their_share() -> None:
    found = task(groups=np.arange(100) // 5)
    assert [len(part) for part in rows(found)] == [60, 20, 20]
    assert "split off by group, at random" in found.description
    in_order = task(groups=np.arange(100) // 5, split="last")
    assert rows(in_order)[2] == [*range(80, 100)]


@pytest.mark.parametrize("make", ["race", "jax", "torch"])
def test_every_way_to_give_data_takes_them(make: str, tmp_path: Any, no_pages: None) -> None:
    import torch

    options: Any = {"split": "last"}
    if make == "jax":
        found = ravine.Task.from_jax(lambda key: np.zeros(1), mean_loss, (X, Y), **options)
    elif make == "torch":
        mse = torch.nn.functional.mse_loss
        found = ravine.Task.from_torch(lambda: torch.nn.Linear(1, 1), (X, Y), mse, **options)
    else:
        with pytest.raises(InvalidArgument, match="unknown split 'lest': did you mean 'last'"):
            ravine.race(lambda: None, (X, Y), loss="mse", split="lest", out=tmp_path / "race")
        with pytest.raises(InvalidArgument, match="split= goes with a model of your own"):
            ravine.race("digits-mlp", split="last", out=tmp_path / "race")
        return
    assert rows(found)[2] == [*range(80, 100)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"groups": [1, 2]}, r"groups has shape \(2,\), the data 100 rows"),
        ({"groups": [1] * 100}, "groups has 1 different label: at least 3 are needed"),
        (
            {"split": "last", "validation_data": (X, Y), "test_data": (X, Y)},
            "split= says how .* both are given: leave split= out",
        ),
    ],
)
def test_what_cannot_be_split_so_is_named(options: Any, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        task(**options)


def test_rows_that_depend_on_their_neighbours_are_warned_of_under_a_random_split() -> None:
    """Case 12: windows of noise, a target for each ten of them."""
    level = np.repeat(draw.normal(size=10), 10).astype("float32")
    (said,) = task(NOISE, level).cautions
    assert said.startswith("neighbouring rows are alike in y, and rows were split off at random")
    assert task(NOISE, level, groups=np.arange(100) // 10).cautions == ()  # the advice
    assert task(NOISE, level, split="last").cautions == ()
    assert task(NOISE, Y).cautions == ()
    assert task(X, Y).cautions[0].startswith("neighbouring rows are alike in x")


def test_rows_sorted_by_their_class_are_no_series() -> None:
    classes = np.repeat([0, 1], 50)
    assert task(NOISE + 9 * classes[:, None], classes).cautions == ()


def test_a_class_of_few_rows_is_said() -> None:
    classes = np.arange(100) % 3
    assert "at random, each class in its share" in task(y=classes, x=NOISE).description
    classes[:2] = 7
    assert "not in proportion: class 7 has 2 rows" in task(y=classes, x=NOISE).description


MANY = np.arange(1500, dtype="float32")[:, None]


def test_many_rows_that_are_split_off_at_random_are_so_anew_for_each_seed() -> None:
    labels = np.arange(1500) % 3
    found = task(x=MANY, y=labels.astype("float32"))
    said = "split off at random, each class in its share, anew for each seed"
    assert found.description.endswith(said)
    seeds = [[split.x[:, 0].tolist() for split in data_of(found, seed)] for seed in (0, 1, 2)]
    assert seeds[0] == rows(found)
    for parts in seeds:
        assert [len(part) for part in parts] == [900, 300, 300]
        assert sorted(row for part in parts for row in part) == [*range(1500)]
        for part in parts:
            shares = np.bincount(labels[np.array(part, int)]) / len(part)
            np.testing.assert_allclose(shares, 1 / 3, atol=1 / len(part))
    assert len({tuple(parts[2]) for parts in seeds}) == 3


@pytest.mark.parametrize(
    "given",
    [
        {"split": "last"},
        {"groups": np.arange(1500)},
        {"test_data": (X[:5], Y[:5])},
        {"validation_data": (X[:5], Y[:5])},
        {"class_weight": {0: 1.0, 1: 2.0}},
        {"x": X, "y": (X[:, 0] > 50).astype("float32")},
    ],
    ids=lambda given: "few rows" if "x" in given else next(iter(given)),
)
def test_rows_are_the_same_for_all_seeds_where_their_split_is_not_drawn(given: Any) -> None:
    found = task(**{"x": MANY, "y": (MANY[:, 0] > 700).astype("float32"), **given})
    assert found.load.places is None
    assert "anew" not in found.description
