"""What Keras and PyTorch can be told for a whole process that decides numbers.

Workers compute with the defaults, whatever ``keras.json`` says: a built-in task is the same for
everybody. What a user's own code has set otherwise would be lost on the way, so it is refused.
"""

from typing import Any

from ravine.errors import WrongCall

KERAS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}


def agree(keras: Any, own: bool) -> None:
    """Have Keras at its defaults in a worker, which its user's ``keras.json`` may have changed.

    Raises ``WrongCall`` where that would change a model of the user's ``own``.
    """
    if own:
        check_keras(keras)
    for name, value in KERAS.items():
        getattr(keras.config, f"set_{name}")(value)
    if keras.config.dtype_policy().name != "float32":
        keras.config.set_dtype_policy("float32")


def check_keras(keras: Any) -> None:
    """Raises ``WrongCall`` if Keras builds or trains otherwise in this process than in races."""
    found = [(n, getattr(keras.config, n)(), v) for n, v in KERAS.items()]
    found.append(("dtype_policy", keras.config.dtype_policy().name, "float32"))
    for name, value, default in found:
        if value != default:
            raise WrongCall(
                f"Keras has {name}={value!r} here (keras.config, keras.json), and races train with "
                f"{default!r}: take it back, or give what needs it to the layers themselves"
            )


def check_torch() -> None:
    """Raises ``WrongCall`` if this process builds modules otherwise than races do."""
    import torch

    if torch.get_default_dtype() != torch.float32:
        raise WrongCall(
            f"PyTorch has {torch.get_default_dtype()} as its default dtype in this process, and "
            "races build modules with torch.float32: take torch.set_default_dtype back"
        )
