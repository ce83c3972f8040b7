"""What is looked for in data and batches, in data and batches that have it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.training import inspection
from ravine.training.batches import batch_rows
from ravine.training.inspection import Shared, period_of, repeats, shared_rows


@given(st.integers(2, 9), st.integers(1, 5), st.integers(2, 4), st.integers(0, 99))
def test_a_repetition_is_found_whatever_the_order_within_a_batch(
    per_epoch: int, batch_size: int, times: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    epoch = draw.permutation(per_epoch * batch_size).reshape(per_epoch, batch_size)
    again = np.concatenate([draw.permuted(epoch, axis=1) for _ in range(times)])
    assert period_of(again) == per_epoch
    assert period_of(again[: 2 * per_epoch - 1]) is None  # not seen twice yet


@pytest.mark.parametrize("frozen", [True, False])
def test_the_batches_of_a_race(frozen: bool) -> None:
    rows = batch_rows(7, 1000, 128, 700, frozen=frozen)
    assert period_of(rows) == (7 if frozen else None)
    assert repeats(1000, 128, frozen) == (7 if frozen else 0)
    assert repeats(1000, 1000, frozen) == 0  # all rows in every batch is no accident


def test_a_shuffle_that_does_not_shuffle_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_order(seed: int, rows: int, size: int, steps: int, frozen: bool) -> np.ndarray:
        return (np.arange(steps * size) % (rows // size * size)).reshape(steps, size)

    monkeypatch.setattr(inspection, "batch_rows", in_order)
    assert repeats(100, 10, frozen=False) == 10


def test_rows_are_shared_if_input_and_target_are_the_same() -> None:
    x, y = np.eye(10, dtype="f4"), np.arange(10, dtype="i4")
    train, other = (x[:6], y[:6]), (x[6:], y[6:])
    assert shared_rows(train, other, other) == Shared(0, 0, 1)
    assert shared_rows(train, (x[3:], y[3:]), (x[5:], y[5:] + 1)) == Shared(3 / 7, 0, 0)
    assert shared_rows(train, other, (x[[0, 0, 9, 6]], y[[0, 0, 9, 6]])) == Shared(0, 0.5, 0.5)
