"""A task of your own: a pure JAX function on your data.

Race it with: ravine race FILE:make_task --rules sgd,adam
"""

from sklearn.datasets import load_digits

import ravine


def make_data():
    """Inputs, a row a sample, and a target for each; arrays, or lists or dicts of them.

    These are 1,797 handwritten digits.
    """
    images, labels = load_digits(return_X_y=True)
    return images.astype("float32") / 16, labels


def init(key):
    """Parameters from a random key, in any nest of float32 arrays."""
    from jax import numpy as jnp
    from jax import random

    one, two = random.split(key)
    return {
        "hidden": {"w": random.normal(one, (64, 32)) * 64**-0.5, "b": jnp.zeros(32)},
        "out": {"w": random.normal(two, (32, 10)) * 32**-0.5, "b": jnp.zeros(10)},
    }


def scores(params, x):
    """A score for each digit."""
    from jax import nn

    hidden = nn.relu(x @ params["hidden"]["w"] + params["hidden"]["b"])
    return hidden @ params["out"]["w"] + params["out"]["b"]


def loss(params, x, y):
    """What is minimised: a number a row of the batch, or their mean."""
    from jax import nn
    from jax import numpy as jnp

    return -jnp.take_along_axis(nn.log_softmax(scores(params, x)), y[:, None], axis=1)[:, 0]


def accuracy(params, x, y):
    """What is watched too: a number a row, or their mean."""
    return scores(params, x).argmax(axis=1) == y


def make_task():
    """What is raced. A fifth of the rows each is split off to tune and to judge on."""
    return ravine.Task.from_jax(
        init,
        loss,
        make_data(),
        metrics={"accuracy": accuracy},
        # validation_data=(x_validation, y_validation),  # if you have your own split
        # test_data=(x_test, y_test),
        name="my-task",
        epochs=10,
        batch_size=32,
    )
