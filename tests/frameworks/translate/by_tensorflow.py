"""Walks in TensorFlow 1's optimizers, and in Keras on TensorFlow."""

import importlib
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from walking import Floats, Problem, built, flat, is_keras

tf: Any = importlib.import_module("tensorflow")  # which has no annotations


def walked(line: str, kinds: Sequence[Floats], problem: Problem) -> list[Floats]:
    """The points of a line of code, with each kind of factors."""
    if is_keras(line):
        return by_keras(line, kinds, problem)
    return [by_tf1(line, factors, problem) for factors in kinds]


def by_keras(line: str, kinds: Sequence[Floats], problem: Problem) -> list[Floats]:
    variables = [keras.Variable(w, dtype="float64") for w in problem.start]
    optimizer = built(line, keras=keras)
    optimizer.build(variables)
    rate, changing = float(optimizer.learning_rate), [*variables, *optimizer.variables]
    start = [v.numpy() for v in changing]
    step = tf.function(lambda gradients: optimizer.apply(gradients, variables))
    paths = []
    for factors in kinds:
        for variable, value in zip(changing, start, strict=True):
            variable.assign(value)
        path = []
        for t, factor in enumerate(factors):
            # An array: a number would go through float32.
            optimizer.learning_rate = np.array(rate * factor)
            step([tf.constant(slopes[t]) for slopes in problem.slopes])
            path.append(flat([v.value for v in variables]))
        paths.append(np.array(path))
    return paths


def by_tf1(line: str, factors: Floats, problem: Problem) -> Floats:
    now = 0
    names = SimpleNamespace(
        train=tf.compat.v1.train, contrib=SimpleNamespace(opt=SimpleNamespace(NadamOptimizer=Nadam))
    )
    optimizer = built(line, lambda x: lambda: tf.constant(x * factors[now], tf.float64), tf=names)
    variables = [tf.Variable(w) for w in problem.start]
    path = []
    for now in range(len(factors)):  # the rate looks at it
        gradients = [tf.constant(slopes[now]) for slopes in problem.slopes]
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        path.append(flat(variables))
    return np.array(path)


class Nadam:
    """``tf.contrib.opt.NadamOptimizer``, of which TensorFlow 2 has kept the kernel."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        use_locking: bool = False,
        name: str = "Nadam",
    ) -> None:
        self.learning_rate, self.betas, self.epsilon = learning_rate, (beta1, beta2), epsilon
        self.steps = 0
        self.slots: list[tuple[Any, Any]] = []

    def apply_gradients(self, pairs: Any) -> None:
        self.steps += 1
        for place, (g, variable) in enumerate(pairs):
            if place == len(self.slots):
                self.slots.append((tf.Variable(0 * variable), tf.Variable(0 * variable)))
            m, v = self.slots[place]
            beta1, beta2 = (tf.constant(x, tf.float64) for x in self.betas)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=beta1**self.steps,
                beta2_power=beta2**self.steps,
                lr=self.learning_rate(),
                beta1=beta1,
                beta2=beta2,
                epsilon=tf.constant(self.epsilon, tf.float64),
                grad=g,
                use_nesterov=True,
            )
