"""A rule of your own: one text, and it walks, trains in three frameworks, prints and is raced."""

import jax.numpy as jnp
import torch

import ravine
from ravine import ops
from ravine.explain.notation import FORMS, plain


@ravine.rule
class SignDescent(ravine.Rule):
    """A step of fixed length against the sign of the gradient."""

    learning_rate: float = ravine.hyper(0.01, "length of a step", unit="w", valid="> 0")

    def update(self, w, g, state, t):
        return w - self.learning_rate * ops.sign(g), state


if __name__ == "__main__":
    rule = SignDescent(learning_rate=0.25)
    print(plain.write(rule), FORMS["latex"](rule), FORMS["javascript"](rule), sep="\n\n")
    print(ravine.descend(rule, (lambda x: x * x, lambda x: 2 * x), 1.0, steps=4).weights)

    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = ravine.to_torch(rule, [weight])
    weight.square().sum().backward()
    optimizer.step()
    print(weight.detach())

    optax_rule = ravine.to_optax(rule)
    w = {"w": jnp.ones(2)}
    print(optax_rule.update({"w": 2 * w["w"]}, optax_rule.init(w), w)[0])

    print(ravine.to_keras(rule))  # for model.compile(optimizer=…)
    race = ravine.race(rules=[SignDescent], learning_rates="1e-4:0.1:4", epochs=3, progress=False)
    print(race.verdict)
