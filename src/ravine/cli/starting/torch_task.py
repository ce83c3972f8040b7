"""A task of your own: a PyTorch module on your data, raced in PyTorch.

Race it with: ravine race FILE:make_task --rules sgd,adam
"""

from sklearn.datasets import load_digits

import ravine


def make_data():
    """Inputs, a row a sample, and a target for each; or a PyTorch Dataset or DataLoader of them.

    These are 1,797 handwritten digits.
    """
    images, labels = load_digits(return_X_y=True)
    return images.astype("float32") / 16, labels


def make_module():
    """A fresh module at each call: every seed draws initial weights of its own."""
    from torch import nn

    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def loss(output, target):
    """What is minimised: a number a row of the batch, or their mean."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(output, target.long())


def accuracy(output, target):
    """What is watched too: a number a row, or their mean."""
    return output.argmax(1) == target


def make_task():
    """What is raced. A fifth of the rows each is split off to tune and to judge on."""
    return ravine.Task.from_torch(
        make_module,
        make_data(),
        loss,
        metrics={"accuracy": accuracy},
        # validation_data=(x_validation, y_validation),  # if you have your own split
        # test_data=(x_test, y_test),
        name="my-task",
        epochs=10,
        batch_size=32,
    )
