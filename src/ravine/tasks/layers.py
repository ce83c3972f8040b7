"""What the networks of the shipped tasks are made of, by the levers that a race may vary."""

from typing import Any

from ravine.errors import unknown

ACTIVATIONS = (
    "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus", "softsign", "tanh",
    "sigmoid", "linear",
)  # fmt: skip
INITIALIZERS = (
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
    "orthogonal", "random_normal", "random_uniform", "truncated_normal",
)  # fmt: skip
NORMALIZATIONS = ("none", "batch", "layer")
KNOWN = {
    "activation": ACTIVATIONS,
    "initializer": INITIALIZERS,
    "normalization": NORMALIZATIONS,
}


def dense(units: int, activation: str, initializer: str, normalization: str) -> list[Any]:
    """A dense layer and what follows it: normalisation, if any, before the activation.

    Ioffe & Szegedy 2015, section 3.2, https://arxiv.org/abs/1502.03167.
    """
    from keras import layers

    if normalization == "none":
        return [layers.Dense(units, activation=activation, kernel_initializer=initializer)]
    return [
        layers.Dense(units, kernel_initializer=initializer),
        *normalized(normalization),
        layers.Activation(activation),
    ]


def normalized(normalization: str) -> list[Any]:
    """The layer that normalises, or none. Running means are those of the last ten steps or so."""
    from keras import layers

    check("normalization", normalization)
    kinds = {"batch": lambda: layers.BatchNormalization(momentum=0.9)}
    kinds |= {"layer": layers.LayerNormalization}
    return [kinds[normalization]()] if normalization != "none" else []


def check(lever: str, value: Any) -> None:
    """Raises ``InvalidArgument`` for a value of a lever that the shipped tasks do not know."""
    if value not in KNOWN[lever]:
        raise unknown(lever, str(value), KNOWN[lever])
