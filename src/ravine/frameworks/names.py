"""What frameworks are called where people read of them."""

CALLED = {
    "keras": "Keras",
    "tensorflow": "TensorFlow",
    "jax": "JAX",
    "torch": "PyTorch",
    "optax": "Optax",
}
BACKENDS = ("tensorflow", "jax", "torch")  # what Keras runs on
