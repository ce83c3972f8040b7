"""What a race trains: a model, data in three splits, a loss, and how long."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ravine.tasks.pretraining import Pretrained


class Split(NamedTuple):
    """Rows of inputs and of targets, as NumPy arrays of equal length; or lists of such arrays."""

    x: Any
    y: Any


class Data(NamedTuple):
    """Train on the first, tune on the second, judge on the third."""

    train: Split
    validation: Split
    test: Split


@dataclass(frozen=True)
class Task:
    """A fixed model on fixed data.

    ``make_model`` returns a fresh Keras 3 model each time it is called, ``load`` the data.
    ``loss`` takes ``(y_true, y_pred)`` to a loss a row, each metric to a number a row; all are
    called while Keras runs on JAX. ``learning_rates`` replaces a rule's own searched range.
    ``frozen_order`` repeats the batches of the first epoch in every epoch, as some published
    results have it; rules that fit the noise of those batches look better than they are.
    """

    name: str
    description: str
    make_model: Callable[[], Any]
    load: Callable[[], Data]
    loss: Callable[[Any, Any], Any]
    metrics: Mapping[str, Callable[[Any, Any], Any]]
    epochs: int
    batch_size: int
    learning_rates: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    frozen_order: bool = False
    notes: tuple[str, ...] = ()  # what whoever races it should know, a line each
    levers: Mapping[str, Any] = field(default_factory=dict)  # of a variant: see ``tasks.levers``
    pretrained: Pretrained | None = None  # weights to begin with, where they fit
    download: str = ""  # how much Keras downloads for it, once
    place: str = ""  # in the user's code, where it was named: "my_task.py:make_task"

    @property
    def told(self) -> tuple[Any, ...]:
        """What else decides results, beside the configuration of the network and the data."""
        return ()

    @property
    def engine(self) -> str:
        """What trains it: see ``experiment.engines``."""
        return "jax"

    @property
    def call(self) -> str:
        """How whoever made it would hand it to ``ravine.race``: code."""
        return "task"

    @property
    def unfit(self) -> str:
        """Why no ``model.fit`` can train it; empty where one can."""
        return ""

    @staticmethod
    def from_model(model: Any, data: Any, **options: Any) -> "Task":
        """A task of your Keras model, or a function that builds one, on your data.

        ``data`` and the options ``loss``, ``metrics``, ``loss_weights``, ``validation_data``,
        ``test_data``, ``split``, ``groups``, ``validation_split``, ``augment`` and ``class_weight``
        are as in ``ravine.race``; ``name``, ``epochs`` and ``batch_size`` are the task's own.
        Raises ``InvalidArgument`` for data that cannot be trained on.

        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(50, 1))
        >>> task = Task.from_model(lambda: None, (x, x[:, 0] ** 2), loss="mse", name="parabola")
        >>> task.name, task.description
        ('parabola', 'your model on your data; rows: 30 train, 10 validation, 10 test; \
validation and test are split off at random')
        """
        from ravine.tasks.adapters.model import own_model

        return own_model(model, data, **options)

    @staticmethod
    def from_jax(
        init: Callable[[Any], Any], loss: Callable[[Any, Any, Any], Any], data: Any, **options: Any
    ) -> "Task":
        """A task of two pure JAX functions.

        ``init(key)`` gives the parameters, a nest of float32 arrays (or float64, with
        ``jax_enable_x64``), ``loss(params, x, y)`` a number a row or their mean. ``metrics``:
        functions such as ``loss``, by name. ``data``, ``validation_data``, ``test_data``,
        ``split``, ``groups``, ``validation_split`` and ``augment`` are as in ``ravine.race``;
        ``name``, ``epochs`` and ``batch_size`` are the task's own. Raises ``InvalidArgument``.

        >>> import numpy as np
        >>> x = np.linspace(-1, 1, 50)
        >>> task = Task.from_jax(lambda key: 1.0, lambda w, x, y: (w * x - y) ** 2, (x, 3 * x))
        >>> task.epochs, task.batch_size
        (20, 32)
        """
        from ravine.tasks.adapters.pure import pure_task

        return pure_task(init, loss, data, **options)

    @staticmethod
    def from_torch(
        make_module: Callable[..., Any],
        dataset: Any,
        loss: Callable[[Any, Any], Any],
        **options: Any,
    ) -> "Task":
        """A task of a PyTorch module, which is raced in PyTorch.

        ``make_module()`` builds a fresh module at each call, ``loss(output, target)`` gives a
        number a row or their mean, such as ``torch.nn.functional.cross_entropy``. ``metrics``:
        functions such as ``loss``, by name. ``dataset`` is a PyTorch ``Dataset`` or ``DataLoader``
        of pairs, or ``(x, y)``, tensors or arrays; ``validation_data`` and ``test_data`` are such
        too, ``split``, ``groups`` and ``validation_split`` as in ``ravine.race``; ``augment(x,
        generator)`` gives the inputs of a training batch as they are trained on; ``name``,
        ``epochs`` and ``batch_size`` are the task's own. Raises ``InvalidArgument``.

        >>> import torch
        >>> x = torch.linspace(-1, 1, 50)[:, None]
        >>> task = Task.from_torch(lambda: torch.nn.Linear(1, 1), (x, 3 * x), torch.nn.MSELoss())
        >>> task.epochs, task.batch_size
        (20, 32)
        """
        from ravine.tasks.adapters.module import torch_task

        return torch_task(make_module, dataset, loss, **options)

    def network(self) -> Any:
        """The functions that a race trains and judges; made where Keras runs on JAX."""
        from ravine.tasks.adapters.keras_network import Network

        return Network(self)

    def build(self) -> Any:
        """A fresh model with all its variables."""
        return self.make_model()

    def opened(self, path: Path) -> Any:
        """The trained model of a file that a race left, on whatever backend Keras runs here."""
        model = self.build()
        model.load_weights(path)
        return model

    def criterion(self, model: Any) -> Any:
        """What scores the model's predictions: ``loss``, ``score`` and ``measures``."""
        from ravine.tasks.adapters.keras_network import RowByRow

        return RowByRow(self)

    def compiled(self, model: Any) -> dict[str, Any]:
        """What the model's ``compile`` takes beside the optimizer, on any backend."""
        from ravine.tasks.plain import row_by_row

        return row_by_row(self)

    def inputs(self, x: Any) -> Any:
        """What the model is called with, of the inputs of a split."""
        return x

    def targets(self, y: Any) -> Any:
        """What the criterion is called with, of the targets of a split."""
        return y
