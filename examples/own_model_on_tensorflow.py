"""Your Keras model on TensorFlow: raced, and the winner's trained model is yours to keep."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # before Keras is imported, as ever

import keras
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

import ravine

x, y = load_breast_cancer(return_X_y=True)
x = scale(x).astype("float32")


def make_model():
    """A fresh model at each call: the race draws its weights anew for every seed."""
    return keras.Sequential(
        [
            keras.Input((30,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


race = ravine.race(
    make_model,
    (x, y),  # or a tf.data.Dataset
    loss="binary_crossentropy",
    metrics=["accuracy"],
    rules=["adam"],  # against plain gradient descent, which always takes part
    learning_rates="1e-3:1:4",  # a real race tries nine, on two seeds, and judges on up to twelve
    tuning_seeds=1,
    eval_seeds=2,
    epochs=3,
    progress=False,
)
print(race.verdict)
print(race.code["keras"])

model = race.winner.model()  # its best run, as it was after the last step; also in best.keras
print(type(model).__name__, "on", keras.backend.backend())
print("test accuracy in the race:", race.best["test"]["accuracy"])
model.compile(loss="binary_crossentropy", metrics=["accuracy"])
print("accuracy on all rows:", model.evaluate(x, y, verbose=0)[1])
