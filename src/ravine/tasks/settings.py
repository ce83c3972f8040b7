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

from ravine.errors import WrongCall

DEFAULTS = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "dtype_policy": "float32",
}
POLICIES = ("float32", "mixed_bfloat16")  # whose variables are float32; float16 scales its loss
TRAVELLING = ("epsilon", "image_data_format")


@dataclass(frozen=True)
class Settings:
    """Those of the process that a task was made in.

    ``keras`` has values by name; ``custom`` what is registered with Keras, pickled, by its name.
    """

    keras: Mapping[str, Any] = field(default_factory=lambda: dict(DEFAULTS))
    custom: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def told(self) -> tuple[Any, ...]:
        """What decides numbers otherwise than by default."""
        return tuple(sorted((k, v) for k, v in self.keras.items() if v != DEFAULTS[k]))


def captured() -> Settings:
    """The settings of this process. Raises ``WrongCall`` for those that no race computes with."""
    if "keras" not in sys.modules:  # whoever imports it finds what the file says
        return Settings(checked({**DEFAULTS, **_in_file()}))
    keras = sys.modules["keras"]
    return Settings(checked(_now(keras)), dict(_custom(keras)))


def agree(keras: Any, settings: Settings | None, own: bool) -> None:
    """Have Keras as the process had it that made a task; without settings, at its defaults.

    Raises ``WrongCall`` where the defaults would change a model of the user's ``own``.
    """
    if settings is None and own:
        check_keras(keras)
    wanted = DEFAULTS if settings is None else settings.keras
    now = _now(keras)
    for name, value in wanted.items():
        if now[name] != value:
            getattr(keras.config, f"set_{name}")(value)
    if _now(keras)["dtype_policy"] != wanted["dtype_policy"]:  # it follows floatx
        keras.config.set_dtype_policy(wanted["dtype_policy"])
    for name, pickled in {} if settings is None else settings.custom.items():
        if name not in keras.saving.get_custom_objects():
            with suppress(Exception):  # the model may do without it
                _register(keras, name, cloudpickle.loads(pickled))


def check_keras(keras: Any, settings: Settings | None = None) -> None:
    """Raises ``WrongCall`` if Keras computes otherwise in this process than in a race.

    Args:
        keras: The module.
        settings: Those of the task; without, the defaults.
    """
    wanted = DEFAULTS if settings is None else settings.keras
    for name, value in _now(keras).items():
        if value != wanted[name]:
            raise _refused(name, value, wanted[name])


def checked(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same settings. Raises ``WrongCall`` for those that no race computes with."""
    for name, value in found.items():
        allowed = POLICIES if name == "dtype_policy" else (DEFAULTS[name],)
        if name not in TRAVELLING and value not in allowed:
            raise _refused(name, value, DEFAULTS[name])
    return found


def check_torch() -> None:
    """Raises ``WrongCall`` if this process builds modules otherwise than races do."""
    import torch

    if torch.get_default_dtype() != torch.float32:
        raise WrongCall(
            f"PyTorch has {torch.get_default_dtype()} as its default dtype in this process, and "
            "races build modules with torch.float32: take torch.set_default_dtype back"
        )


def _refused(name: str, value: Any, default: Any) -> WrongCall:
    return WrongCall(
        f"Keras has {name}={value!r} here (keras.config, keras.json), and races train with "
        f"{default!r}: take it back, or give what needs it to the layers themselves"
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
