"""A task of your own: a Keras model on your data.

Race it with: ravine race FILE:make_task --rules sgd,adam
"""

from sklearn.datasets import load_digits

import ravine


def make_data():
    """Inputs, a row a sample, and a target for each.

    These are 1,797 handwritten digits. Yours may be arrays of NumPy, pandas, TensorFlow or PyTorch,
    in lists or dicts if the model has several inputs; or, instead of the pair, a tf.data.Dataset, a
    PyTorch DataLoader or a keras.utils.PyDataset.
    """
    images, labels = load_digits(return_X_y=True)
    return images.astype("float32") / 16, labels


def make_model():
    """A fresh model at each call: the race draws its initial weights anew for every seed.

    Whatever Keras has is allowed, and layers of your own that compute with keras.ops: the race
    trains on JAX. Do not compile it: the race brings the optimizers.
    """
    import keras  # in here: only the process that builds the model needs it

    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def make_task():
    """What is raced. A fifth of the rows each is split off to tune and to judge on."""
    return ravine.Task.from_model(
        make_model,
        make_data(),
        loss="sparse_categorical_crossentropy",  # as in model.compile
        metrics=["accuracy"],
        # validation_data=(x_validation, y_validation),  # if you have your own split
        # test_data=(x_test, y_test),
        # class_weight={0: 2.0},  # as in model.fit
        name="my-task",
        epochs=10,
        batch_size=32,
    )
