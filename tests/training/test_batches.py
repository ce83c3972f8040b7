"""Which rows a run sees: decided by its seed alone."""

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ravine.training.batches import batch_rows, batches_digest

sizes = st.tuples(st.integers(1, 40), st.integers(1, 40)).map(lambda pair: (max(pair), min(pair)))


@given(st.integers(0, 2_000_011), sizes, st.integers(1, 90))
@settings(database=None)
def test_every_epoch_draws_rows_without_replacement(
    seed: int, size: tuple[int, int], steps: int
) -> None:
    rows, batch_size = size
    order = batch_rows(seed, rows, batch_size, steps)
    assert order.shape == (steps, batch_size)
    assert order.dtype == np.int32
    per_epoch = rows // batch_size
    for start in range(0, steps, per_epoch):
        epoch = order[start : start + per_epoch].ravel()
        assert len(set(epoch.tolist())) == len(epoch)
        assert set(epoch.tolist()) <= set(range(rows))


@given(st.integers(0, 2_000_011), sizes, st.integers(1, 90), st.integers(0, 90))
@settings(database=None)
def test_a_longer_run_begins_as_the_shorter(
    seed: int, size: tuple[int, int], steps: int, more: int
) -> None:
    longer = batch_rows(seed, *size, steps + more)
    np.testing.assert_array_equal(longer[:steps], batch_rows(seed, *size, steps))


def test_a_batch_size_that_divides_the_rows_visits_all_of_them() -> None:
    for epoch in batch_rows(3, 64, 8, 5 * 8).reshape(5, 64):
        assert sorted(epoch) == list(range(64))


def test_rows_that_do_not_fill_a_batch_are_other_ones_each_epoch() -> None:
    epochs = batch_rows(3, 70, 32, 200 * 2).reshape(200, 64)
    left = [frozenset(range(70)) - set(epoch.tolist()) for epoch in epochs]
    assert {len(rows) for rows in left} == {6}
    assert frozenset.union(*left) == set(range(70))  # none is always left out


def test_epochs_and_seeds_shuffle_apart() -> None:
    # Seed 1's first epoch must not be seed 0's second, as seed + epoch would have it.
    orders = [tuple(epoch) for s in range(4) for epoch in batch_rows(s, 96, 32, 12).reshape(4, 96)]
    assert len(set(orders)) == 16


def test_the_order_is_the_documented_one() -> None:
    """Anybody can draw it again: this pins the definition that stored digests stand for."""
    expected = np.random.default_rng([5, 1]).permutation(10)[:9].reshape(3, 3)
    np.testing.assert_array_equal(batch_rows(5, 10, 3, 6)[3:], expected)


def test_a_frozen_order_is_the_first_epoch_again_and_again() -> None:
    frozen = batch_rows(5, 10, 3, 9, frozen=True).reshape(3, 3, 3)
    assert (frozen == batch_rows(5, 10, 3, 3)).all()


@given(st.integers(0, 9), sizes, st.integers(0, 50), st.integers(1, 50), st.booleans())
@settings(database=None)
def test_a_part_is_that_of_the_whole(
    seed: int, size: tuple[int, int], taken: int, steps: int, frozen: bool
) -> None:
    whole = batch_rows(seed, *size, taken + steps, frozen=frozen)
    np.testing.assert_array_equal(batch_rows(seed, *size, steps, taken, frozen), whole[taken:])
    expected = hashlib.sha256(whole.astype("<i4").tobytes()).hexdigest()
    assert batches_digest(seed, *size, taken + steps, frozen) == expected
