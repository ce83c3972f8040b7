"""A PyTorch module on a user's data, as a task that is raced in PyTorch."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ravine.errors import InvalidArgument, install
from ravine.tasks import settings
from ravine.tasks.adapters import augmenting
from ravine.tasks.adapters.augmenting import Augment
from ravine.tasks.adapters.checks import masks_nan
from ravine.tasks.adapters.own_task import BATCH_SIZE, EPOCHS, OwnTask, name_of, of_data
from ravine.tasks.adapters.splits import splits_of
from ravine.tasks.adapters.variables import Variable, built_here, of_torch


@dataclass(frozen=True)
class TorchTask(OwnTask):
    """A task of ``make_model()``, a module, and ``loss(output, target)`` of tensors."""

    @property
    def engine(self) -> str:
        """See ``Task.engine``."""
        return "torch"

    @property
    def variables(self) -> tuple[Variable, ...]:
        """See ``OwnTask``."""
        return built_here("torch", lambda: of_torch(self.make_model()))

    @property
    def unfit(self) -> str:
        """See ``Task.unfit``."""
        return "it is a PyTorch module, which was raced in PyTorch itself"

    def network(self) -> Any:
        """See ``Task.network``."""
        from ravine.tasks.adapters.module_network import ModuleNetwork

        return ModuleNetwork(self)

    def opened(self, path: Path) -> Any:
        """See ``Task.opened``: the module, not in training."""
        import torch

        module: Any = self.make_model()
        module.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
        return module.eval()


def torch_task(
    make_module: Callable[..., Any],
    dataset: Any,
    loss: Callable[[Any, Any], Any],
    *,
    metrics: Mapping[str, Callable[[Any, Any], Any]] | None = None,
    validation_data: Any = None,
    test_data: Any = None,
    split: str | None = None,
    groups: Any = None,
    validation_split: float | None = None,
    augment: Augment | None = None,
    name: str | None = None,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
) -> TorchTask:
    """The task of a module. See ``Task.from_torch``."""
    if importlib.util.find_spec("torch") is None:
        raise InvalidArgument(f"PyTorch is not installed: {install('torch')}")
    floats = settings.of_torch()
    metrics = {} if metrics is None else metrics
    if not isinstance(metrics, Mapping):
        raise InvalidArgument(
            f"metrics is a {type(metrics).__name__}: give functions by name, "
            "metrics={'accuracy': lambda output, target: output.argmax(1) == target}"
        )
    if hasattr(make_module, "named_parameters") and not isinstance(make_module, type):
        raise InvalidArgument(
            f"make_module is a {type(make_module).__name__} that is built already; every seed "
            "needs initial weights of its own: give the class, or a function that builds it"
        )
    for what, function in {"make_module": make_module, "loss": loss, **dict(metrics)}.items():
        if isinstance(function, type) and what != "make_module":
            raise InvalidArgument(
                f"{what} is the class {function.__name__}: give {function.__name__}()"
            )
        if not callable(function):
            raise InvalidArgument(f"{what} is a {type(function).__name__}: give a function")
    prepared = splits_of(
        *(dataset, validation_data, test_data),
        split=split,
        groups=groups,
        validation_split=validation_split,
        holes=masks_nan(loss),
        floats=floats,
    )
    like, said = prepared.like, prepared.said
    if like.weights is not None:
        raise InvalidArgument(
            "data has three parts, and a loss of PyTorch weighs its rows itself: put the weights "
            "into x or y, and lengths next to x: ((x, lengths), y)"
        )
    return TorchTask(
        name=name or name_of(make_module),
        description=f"your module on your data; {said}{augmenting.said(augment)}",
        make_model=make_module,
        loss=loss,
        metrics=metrics,
        epochs=epochs,
        batch_size=batch_size,
        floats=floats,
        augment=augmenting.checked(augment),
        **of_data(prepared, like.y),
    )
