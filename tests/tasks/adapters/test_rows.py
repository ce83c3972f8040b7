"""The same rows, whatever they are kept in."""

from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from ravine.errors import InvalidArgument
from ravine.tasks.adapters.rows import read_rows

X = np.arange(24, dtype=np.float64).reshape(8, 3)
Y = np.arange(8) % 2
WEIGHTS = np.linspace(0.5, 1.5, 8)


def as_frames() -> Any:
    return pd.DataFrame(X, columns=["a", "b", "c"]), pd.Series(Y), pd.Series(WEIGHTS)


def as_tensorflow() -> Any:
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, Y, WEIGHTS)).batch(3)


def as_tensors() -> Any:
    import torch

    return torch.tensor(X, requires_grad=True), torch.tensor(Y), torch.tensor(WEIGHTS)


def as_a_loader() -> Any:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    parts = [torch.tensor(part) for part in (X, Y, WEIGHTS)]
    return DataLoader(TensorDataset(*parts), batch_size=3)


def as_a_torch_dataset() -> Any:
    import torch
    from torch.utils.data import TensorDataset

    return TensorDataset(*[torch.tensor(part) for part in (X, Y, WEIGHTS)])


def as_a_keras_dataset() -> Any:
    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        num_batches = 3

        def __getitem__(self, i: int) -> Any:
            part = slice(3 * i, 3 * i + 3)
            return X[part], Y[part], WEIGHTS[part]

    return Batches()


@pytest.mark.parametrize(
    "made",
    [
        lambda: (X, Y, WEIGHTS),
        lambda: (X.tolist(), Y.tolist(), WEIGHTS.tolist()),
        as_frames,
        as_tensorflow,
        as_tensors,
        as_a_loader,
        as_a_torch_dataset,
        as_a_keras_dataset,
    ],
    ids=["arrays", "lists", "pandas", "tf.data", "tensors", "DataLoader", "Dataset", "PyDataset"],
)
def test_the_same_rows_in_their_order(made: Any) -> None:
    rows = read_rows(made()).rows
    np.testing.assert_array_equal(rows.x, X.astype(np.float32))
    np.testing.assert_array_equal(rows.y, Y)
    np.testing.assert_allclose(rows.weights, WEIGHTS.astype(np.float32))
    assert (rows.x.dtype, rows.y.dtype) == (np.float32, np.int32)
    assert rows.number == 8
    np.testing.assert_array_equal(rows.at([2, 0]).x, X[[2, 0]])


def test_nests_keep_their_shape() -> None:
    rows = read_rows(({"left": X, "right": Y}, [Y, X])).rows
    assert set(rows.x) == {"left", "right"}
    np.testing.assert_array_equal(rows.y[1], X)


def test_what_never_ends_is_refused() -> None:
    import tensorflow as tf

    endless = tf.data.Dataset.from_tensors((X, Y)).repeat()
    with pytest.raises(InvalidArgument, match=r"leave out \.repeat\(\)"):
        read_rows(endless)
    with pytest.raises(InvalidArgument, match="has no known end"):
        read_rows(iter([(X, Y)]))
