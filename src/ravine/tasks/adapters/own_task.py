"""What all tasks of users' own have in common: rows nested as they were given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ravine.tasks.adapters.pytree import filled, mapped
from ravine.tasks.adapters.splits import Held, Prepared, sample_of
from ravine.tasks.adapters.variables import Variable
from ravine.tasks.task import Split, Task

EPOCHS, BATCH_SIZE = 20, 32


@dataclass(frozen=True)
class OwnTask(Task):
    """A task on a user's data.

    ``x_like`` and ``y_like`` say how the arrays of a split are handed to the model and the loss.
    """

    x_like: Any = None
    y_like: Any = None
    sample: Any = None  # a few rows, as a Split
    floats: str = "float32"  # the widest numbers of it, as the process had it that made the task
    augment: Callable[[Any, Any], Any] | None = None  # of a batch of inputs and a key
    narrow: tuple[tuple[Split, Split], ...] = ()  # batches before and after they were padded on
    cautions: tuple[str, ...] = ()  # what a reader of the verdict should know, a line each
    at_random: bool = False  # whether test rows were split off so: any may be next to any

    @property
    def told(self) -> tuple[Any, ...]:
        """See ``Task.told``."""
        return () if self.floats == "float32" else (self.floats,)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Those of the model that this process builds; none where it has no say."""
        return ()

    def inputs(self, x: Any) -> Any:
        """See ``Task.inputs``."""
        return _nested(self.x_like, x)

    def targets(self, y: Any) -> Any:
        """See ``Task.targets``."""
        return _nested(self.y_like, y)


def of_data(prepared: Prepared, y: Any) -> dict[str, Any]:
    """The fields of a task that follow from its data; y is nested as that of a split."""
    return {
        "load": Held(prepared.splits, prepared.places),
        "x_like": mapped(lambda _: 0, prepared.like.x),
        "y_like": mapped(lambda _: 0, y),
        "sample": sample_of(prepared.splits),
        "notes": (prepared.said,),
        "cautions": prepared.cautions,
        "at_random": prepared.at_random,
        "narrow": prepared.narrow[:1],
    }


def name_of(model: Any) -> str:
    """What to call it: words and dashes, good for a folder."""
    name = getattr(model, "name", None) or getattr(model, "__name__", None) or "my-model"
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in str(name))
    return "my-model" if kept.strip("-") in ("", "lambda") else kept


def _nested(like: Any, arrays: Any) -> Any:
    return filled(like, arrays if isinstance(arrays, list | tuple) else [arrays])
