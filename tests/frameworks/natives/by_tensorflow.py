"""Walks in TensorFlow 1's optimizers, and in Keras on TensorFlow."""

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from walking import Floats, Problem, built, loss

tf: Any = importlib.import_module("tensorflow")  # which has no annotations
XP = SimpleNamespace(tanh=tf.tanh, logsumexp=tf.reduce_logsumexp, sum=tf.reduce_sum)
Gradients = Callable[[Sequence[Any]], list[Any]]


def gradients_of(problem: Problem) -> Gradients | None:
    """Of the network, in NumPy."""
    if problem.data is None:
        return None
    data = [tf.constant(x) for x in problem.data]

    def own(layers: list[Any]) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(layers)
            found = loss(layers, data, XP)
        return tape.gradient(found, layers)

    compiled = tf.function(own)
    return lambda layers: [g.numpy() for g in compiled([tf.constant(w) for w in layers])]


def by_keras(optimizer: Any, factors: Floats, problem: Problem) -> Floats:
    variables = [keras.Variable(w, dtype="float64") for w in problem.start]
    optimizer.build(variables)
    slopes = [tf.constant(x) for x in problem.slopes]
    data = [tf.constant(x) for x in problem.data] if problem.data else None

    def step(t: Any) -> Any:
        gradients = [x[t] for x in slopes]
        layers = [v.value for v in variables[len(slopes) :]]
        if data:
            with tf.GradientTape() as tape:
                found = loss(layers, data, XP)
            gradients += tape.gradient(found, layers)
        optimizer.apply(gradients, variables)
        return tf.concat([tf.reshape(v.value, [-1]) for v in variables], 0)

    compiled = tf.function(step)
    rate = float(optimizer.learning_rate)
    path = []
    for t, factor in enumerate(factors):
        optimizer.learning_rate = rate * float(factor)
        path.append(compiled(tf.constant(t)).numpy())
    return np.array(path)


def by_tf1(text: str, factors: Floats, problem: Problem) -> tuple[Floats, Gradients | None]:
    now = 0
    names = SimpleNamespace(
        train=tf.compat.v1.train, contrib=SimpleNamespace(opt=SimpleNamespace(NadamOptimizer=Nadam))
    )
    optimizer = built(text, lambda x: lambda: tf.constant(x * factors[now], tf.float64), tf=names)
    variables = [tf.Variable(w) for w in problem.start]
    own = gradients_of(problem)
    path = []
    for now in range(len(factors)):  # the rate looks at it
        gradients = [x[now] for x in problem.slopes]
        if own:
            gradients += own([v.numpy() for v in variables[len(gradients) :]])
        optimizer.apply_gradients(zip(map(tf.constant, gradients), variables, strict=True))
        path.append(np.concatenate([v.numpy().ravel() for v in variables]))
    return np.array(path), own


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


def signatures() -> dict[str, dict[str, Any]]:
    """Of all optimizers of TensorFlow 1, by name: parameters, and defaults as text."""
    train = tf.compat.v1.train
    known = {name: getattr(train, name) for name in dir(train) if name.endswith("Optimizer")}
    return {
        name: {p.name: repr(p.default) for p in inspect.signature(kind).parameters.values()}
        for name, kind in known.items()
        if kind is not train.Optimizer
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(signatures()))
