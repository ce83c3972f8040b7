"""Pictures that Keras downloads once, into its own cache."""

import os
from typing import Any

from ravine.errors import RavineError
from ravine.tasks.task import Data, Split

HELD_OUT = 1 / 6  # of the training rows, to tune on


def pictures(dataset: str) -> Data:
    """Rows of ``keras.datasets``, (height, width, channels) uint8, with int32 labels.

    A sixth of its training rows is to tune on, each class in its share; its test rows are to judge
    on. Raises ``RavineError`` where they are neither in the cache nor can be downloaded.
    """
    import keras
    from sklearn.model_selection import train_test_split

    try:
        (x, y), test = getattr(keras.datasets, dataset).load_data()
    except Exception as error:  # the system's, the archive's, and Keras's own, a plain Exception
        cache = os.path.join(
            os.environ.get("KERAS_HOME") or os.path.join("~", ".keras"), "datasets"
        )
        raise RavineError(
            f"the data of keras.datasets.{dataset} are not in '{cache}' and cannot be downloaded: "
            f"{str(error).splitlines()[0]}; copy that folder from a machine that has them, or race "
            "another of 'ravine tasks'"
        ) from error
    y = y.reshape(-1)
    x_train, x_validation, y_train, y_validation = train_test_split(
        x, y, test_size=HELD_OUT, stratify=y, random_state=0
    )
    return Data(
        _split(x_train, y_train), _split(x_validation, y_validation), _split(test[0], test[1])
    )


def _split(x: Any, y: Any) -> Split:
    x = x if x.ndim == 4 else x[..., None]
    return Split(x, y.reshape(-1).astype("int32"))
