"""What Keras and PyTorch can be told for a whole process that decides numbers.

Workers of a task that ravine ships compute with the defaults, whatever ``keras.json`` says: such a
task is the same for everybody. A task of a user's own takes the settings of the process that it was
made in along, as far as a race can compute with them; else it is refused.
"""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudpickle

from ravine.errors import InvalidArgument

DEFAULTS = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "dtype_policy": "float32",
}
WIDE, NARROW = "float64", "float32"
ALLOWED = {
    "floatx": (NARROW, WIDE),
    "dtype_policy": (NARROW, "mixed_bfloat16", WIDE),  # float16 would scale its loss
}


@dataclass(frozen=True)
class Settings:
    """Those of the process that a task was made in.

    ``keras`` has values by name; ``custom`` what is registered with Keras, pickled, by its name.
    """

    keras: Mapping[str, Any] = field(default_factory=lambda: dict(DEFAULTS))
    custom: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def floats(self) -> str:
        """The widest numbers that a model may have by them."""
        kinds = self.keras["floatx"], self.keras["dtype_policy"]
        return WIDE if WIDE in kinds else NARROW

    @property
    def told(self) -> tuple[Any, ...]:
        """What decides numbers otherwise than by default."""
        return tuple(sorted((k, v) for k, v in self.keras.items() if v != DEFAULTS[k]))


def captured() -> Settings:
    """The settings of this process. Raises ``InvalidArgument`` for those that no race computes
    with.
    """
    if "keras" not in sys.modules:  # whoever imports it finds what the file says
        return Settings(checked({**DEFAULTS, **_in_file()}))
    keras = sys.modules["keras"]
    return Settings(checked(_now(keras)), dict(_custom(keras)))


def agree(keras: Any, settings: Settings | None, own: bool) -> None:
    """Have Keras as the process had it that made a task; without settings, at its defaults.

    Raises ``InvalidArgument`` where the defaults would change a model of the user's ``own``.
    """
    if settings is None and own:
        check_keras(keras)
    wanted = DEFAULTS if settings is None else settings.keras
    now = _now(keras)
    for name, value in wanted.items():
        if now[name] != value:
            getattr(keras.config, f"set_{name}")(value)
    if settings is not None and settings.floats == WIDE and keras.backend.backend() == "jax":
        set_jax(WIDE)
    if _now(keras)["dtype_policy"] != wanted["dtype_policy"]:  # it follows floatx
        keras.config.set_dtype_policy(wanted["dtype_policy"])
    for name, pickled in {} if settings is None else settings.custom.items():
        if name not in keras.saving.get_custom_objects():
            with suppress(Exception):  # the model may do without it
                _register(keras, name, cloudpickle.loads(pickled))


def check_keras(keras: Any, settings: Settings | None = None) -> None:
    """Raises ``InvalidArgument`` if Keras computes otherwise in this process than in a race.

    Args:
        keras: The module.
        settings: Those of the task; without, the defaults.
    """
    wanted = DEFAULTS if settings is None else settings.keras
    for name, value in _now(keras).items():
        if value != wanted[name]:
            raise _refused(name, value, wanted[name])


def set_jax(floats: str) -> None:
    """Have JAX in this process compute with 64-bit numbers, or without."""
    import jax

    if of_jax() != floats:
        jax.config.update("jax_enable_x64", floats == WIDE)  # type: ignore[no-untyped-call]  # it has no types


def of_jax() -> str:
    """The widest numbers that JAX has in this process."""
    jax = sys.modules.get("jax")
    if jax is None:  # whoever imports it finds what the environment says
        told = os.environ.get("JAX_ENABLE_X64", "").lower()
        return WIDE if told in ("y", "yes", "t", "true", "on", "1") else NARROW
    return WIDE if jax.config.jax_enable_x64 else NARROW


def checked(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same settings. Raises ``InvalidArgument`` for those that no race computes with."""
    for name, value in found.items():
        if value not in ALLOWED.get(name, (value,)):
            raise _refused(name, value, *ALLOWED[name])
    return found


def of_torch() -> str:
    """The default dtype of PyTorch in this process. Raises ``InvalidArgument`` for one
    of 16 bits.
    """
    import torch

    name = str(torch.get_default_dtype()).removeprefix("torch.")
    if name not in (NARROW, WIDE):
        raise InvalidArgument(
            f"PyTorch has torch.{name} as its default dtype in this process, and races build "
            "modules with torch.float32 or torch.float64: take torch.set_default_dtype back"
        )
    return name


def set_torch(floats: str) -> None:
    """Have PyTorch in this process build modules as the process did that made a task."""
    import torch

    torch.set_default_dtype(getattr(torch, floats))


def check_torch(floats: str) -> None:
    """Raises ``InvalidArgument`` if this process builds modules otherwise than the one
    of the task.
    """
    if of_torch() != floats:
        raise InvalidArgument(
            f"PyTorch has torch.{of_torch()} as its default dtype in this process, and the task "
            f"was made with torch.{floats}: call torch.set_default_dtype(torch.{floats})"
        )


def _refused(name: str, value: Any, *allowed: Any) -> InvalidArgument:
    return InvalidArgument(
        f"Keras has {name}={value!r} here (keras.config, keras.json), and races train with "
        f"{' or '.join(map(repr, allowed))}: take it back, or give what needs it to the layers "
        "themselves"
    )


def _now(keras: Any) -> dict[str, Any]:
    found = {name: getattr(keras.config, name)() for name in DEFAULTS}
    return found | {"dtype_policy": found["dtype_policy"].name}


def _in_file() -> dict[str, Any]:
    """What ``keras.json`` says, for a process that has not imported Keras."""
    folder = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    with suppress(OSError, ValueError):
        told = json.loads(Path(folder, "keras.json").read_text(encoding="utf-8"))
        floatx = told.get("floatx", "float32")
        told.setdefault("dtype_policy", floatx)
        return {name: told[name] for name in DEFAULTS if name in told}
    return {}


def _custom(keras: Any) -> Any:
    """What a user registered with Keras, by name, as far as it can be taken along."""
    for name, thing in keras.saving.get_custom_objects().items():
        if str(getattr(thing, "__module__", "")).split(".")[0] not in ("keras", "ravine"):
            with suppress(Exception):  # a task that does not use it needs no copy
                yield name, cloudpickle.dumps(thing)


def _register(keras: Any, name: str, thing: Any) -> None:
    package, found, own_name = name.partition(">")
    if found:
        keras.saving.register_keras_serializable(package, own_name)(thing)
    else:
        keras.saving.get_custom_objects()[name] = thing
