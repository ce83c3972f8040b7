"""DeepOBS's ``quadratic_deep``: a noisy quadratic bowl, ten steep directions of a hundred.

Schneider, Balles & Hennig 2019, "DeepOBS: A Deep Learning Optimizer Benchmark Suite",
https://arxiv.org/abs/1903.05499, with the eigenvalues of Chaudhari et al. 2017. Its results are
published, so that what is computed here can be checked against numbers of others.
"""

from functools import cache
from typing import Any

from ravine.tasks.offset import offset
from ravine.tasks.task import Data, Split, Task

SIZE = 100
STEEP = 10  # directions
BATCH_SIZE, EPOCHS = 128, 100
NOISE = 0.6  # standard deviation of the data
ROWS = {"train": 1000, "validation": 896, "test": 896}  # DeepOBS evaluates on seven batches of 1000
SEEDS = {"train": 42, "validation": 44, "test": 43}  # DeepOBS has no validation data


@cache
def hessian() -> Any:
    """H, (100, 100) float64: 90 eigenvalues in [0, 1], ten in [30, 60], directions at random."""
    import numpy as np

    draw = np.random.RandomState(42)
    flat, steep = draw.uniform(0, 1, SIZE - STEEP), draw.uniform(30, 60, STEEP)
    turned = _rotation(draw)
    return turned.T @ np.diag([*flat, *steep]) @ turned


def threshold() -> float:
    """The learning rate from which on plain descent diverges: 2 / λmax."""
    import numpy as np

    return float(2 / np.linalg.eigvalsh(hessian())[-1])


def _rotation(draw: Any) -> Any:
    """A rotation of R¹⁰⁰, all equally likely, as DeepOBS draws it.

    Diaconis & Shahshahani 1987, "The subgroup algorithm for generating uniform random variables":
    one more dimension at a time, each by a reflection.
    """
    import numpy as np

    angle = 2 * np.pi * draw.uniform()
    turned = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for size in range(2, SIZE):
        to = draw.normal(size=size + 1)
        mirror = np.eye(size + 1)[0] - to / np.linalg.norm(to)
        mirror /= np.linalg.norm(mirror)
        bordered = np.pad(turned, (1, 0))
        bordered[0, 0] = 1
        turned = bordered - 2 * np.outer(mirror, mirror @ bordered)
    return -turned


def rows(split: str) -> Any:
    """The data x of a split, (rows, 100) float32."""
    import numpy as np

    drawn = np.random.RandomState(SEEDS[split]).normal(0, NOISE, (1000, SIZE))
    return drawn[: ROWS[split]].astype("float32")


def load() -> Data:
    """Nothing is given, x is wanted; the model can but say θ."""
    import numpy as np

    return Data(*(Split(np.zeros_like(x), x) for x in map(rows, Data._fields)))


def make_model() -> Any:
    """θ, which starts at 1, whatever the row."""
    import keras

    return keras.Sequential([keras.Input((SIZE,)), offset("ones")])


def height(y_true: Any, y_pred: Any) -> Any:
    """½(θ − x)ᵀH(θ − x) of each row."""
    from keras import ops

    away = y_pred - y_true
    return ops.sum(away * (away @ ops.convert_to_tensor(hessian(), "float32")), axis=-1) / 2


task = Task(
    name="quadratic-deep",
    description="DeepOBS's noisy quadratic bowl in 100 dimensions, 10 of them steep",
    make_model=make_model,
    load=load,
    loss=height,
    metrics={},
    epochs=EPOCHS,
    batch_size=BATCH_SIZE,
    # Plain descent diverges above 2 / 53.13 = 0.0376.
    learning_rates=dict.fromkeys(("sgd", "momentum", "nesterov"), (1e-4, 1.0)),
)
