"""Two pure JAX functions on a user's data, as a task: parameters from a key, a loss of them."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ravine.errors import InvalidArgument
from ravine.tasks.adapters import augmenting
from ravine.tasks.adapters.augmenting import Augment, Augmented
from ravine.tasks.adapters.checks import masks_nan
from ravine.tasks.adapters.keras_network import Weights
from ravine.tasks.adapters.own_task import BATCH_SIZE, EPOCHS, OwnTask, name_of, of_data
from ravine.tasks.adapters.reference_evaluation import ByWeights, Scores
from ravine.tasks.adapters.splits import splits_of
from ravine.tasks.adapters.variables import Variable, built_here
from ravine.tasks.saved import ARRAYS, Saved, open_arrays
from ravine.tasks.settings import of_jax


@dataclass(frozen=True)
class Pure(OwnTask):
    """A task of ``init(key)``, which is ``make_model``, and ``loss(params, x, y)``."""

    def network(self) -> Any:
        """See ``Task.network``."""
        network = PureNetwork(self)
        return network if self.augment is None else Augmented(network, self)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """See ``OwnTask``."""

        def build() -> Sequence[Variable]:
            import jax

            init: Callable[[Any], Any] = self.make_model  # type: ignore[assignment]  # as it says
            paths, leaves, _ = _flat(jax, init(jax.random.key(0)))
            return _variables(paths, leaves)

        return built_here("jax", build)

    @property
    def unfit(self) -> str:
        """See ``Task.unfit``."""
        return "it is two functions in JAX, not a Keras model"

    def opened(self, path: Path) -> Any:
        """See ``Task.opened``: the parameters, nested as ``init`` nests them."""
        import jax

        init: Callable[[Any], Any] = self.make_model  # type: ignore[assignment]  # as it says
        paths, _, structure = _flat(jax, init(jax.random.key(0)))
        arrays = open_arrays(path)
        return jax.tree.unflatten(structure, [arrays[path] for path in paths])


def pure_task(
    init: Callable[[Any], Any],
    loss: Callable[[Any, Any, Any], Any],
    data: Any,
    *,
    metrics: Mapping[str, Callable[[Any, Any, Any], Any]] | None = None,
    validation_data: Any = None,
    test_data: Any = None,
    split: str | None = None,
    groups: Any = None,
    validation_split: float | None = None,
    augment: Augment | None = None,
    name: str | None = None,
    epochs: int = EPOCHS,
    batch_size: int = BATCH_SIZE,
) -> Pure:
    """The task of a pair of functions. See ``Task.from_jax``."""
    metrics = {} if metrics is None else metrics
    for what, function in {"init": init, "loss": loss, **dict(metrics)}.items():
        if not callable(function):
            raise InvalidArgument(f"{what} is a {type(function).__name__}: give a function")
    prepared = splits_of(
        *(data, validation_data, test_data),
        split=split,
        groups=groups,
        validation_split=validation_split,
        holes=masks_nan(loss),
        floats=(floats := of_jax()),
    )
    like, said = prepared.like, prepared.said
    if like.weights is not None:
        raise InvalidArgument(
            "data has three parts, and a loss of your own weighs its rows itself: put the weights "
            "into x or y, and lengths next to x: ((x, lengths), y)"
        )
    return Pure(
        name=name or name_of(loss),
        description=f"your loss on your data; {said}{augmenting.said(augment)}",
        make_model=init,  # type: ignore[arg-type]  # which takes a key here
        loss=loss,  # type: ignore[arg-type]
        metrics=metrics,  # type: ignore[arg-type]
        epochs=epochs,
        batch_size=batch_size,
        floats=floats,
        augment=augmenting.checked(augment),
        **of_data(prepared, like.y),
    )


class PureNetwork:
    """What ``intake.Network`` is of a Keras model: functions of a list of arrays. No state."""

    framework = "JAX"  # whose evaluation is compared with a race's

    def __init__(self, task: Pure) -> None:
        import jax

        self._jax, self._task = jax, task
        self.measures = ("loss", *task.metrics)
        self.taken = ()  # layers that are pretrained: it has none
        drawn = self._tried("init", lambda: self._params(0))
        self._paths, leaves, self._structure = _flat(jax, drawn)
        for path, leaf in zip(self._paths, leaves, strict=True):
            if getattr(leaf, "dtype", None) not in ("float32", task.floats):
                kind = getattr(leaf, "dtype", type(leaf).__name__)
                raise InvalidArgument(
                    f"init gives {path or 'a number'} as {kind}: give {task.floats} arrays"
                )
        if not leaves:
            raise InvalidArgument("init gives no parameters: return an array or a nest of arrays")
        x, y = task.inputs(task.sample.x), task.targets(task.sample.y)
        functions: dict[str, Any] = {"loss": task.loss, **task.metrics}
        for what, function in functions.items():
            value = self._tried(what, partial(function, drawn, x, y))
            if getattr(value, "shape", None) not in ((), (len(jax.tree.leaves(x)[0]),)):
                raise InvalidArgument(
                    f"{what} gives {getattr(value, 'shape', type(value).__name__)}: return a "
                    "number a row, or their mean"
                )
        self._sample = drawn, x, y

    @property
    def variables_there(self) -> tuple[Variable, ...]:
        """The parameters, to be compared with those of another process."""
        return _variables(self._paths, self._jax.tree.leaves(self._sample[0]))

    @property
    def names(self) -> list[str]:
        """See ``intake.Network``."""
        return [f"params/{path}" for path in self._paths]

    def _params(self, seed: int) -> Any:
        jnp = self._jax.numpy
        init: Callable[[Any], Any] = self._task.make_model  # type: ignore[assignment]
        made = init(self._jax.random.key(seed))
        # A plain number is a parameter too.
        return self._jax.tree.map(
            lambda a: jnp.asarray(a, float) if isinstance(a, float) else a, made
        )

    def _tried(self, what: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except InvalidArgument:
            raise
        except Exception as error:
            said = next((line for line in str(error).splitlines() if line.strip()), "")
            raise InvalidArgument(f"{what} failed: {type(error).__name__}: {said}") from error

    @property
    def config(self) -> str:
        """What loss and metrics compute, and the parameters of seed 0: what decides a result."""
        import numpy as np

        task = self._task
        functions = (task.loss, *task.metrics.values())
        traced = [self._jax.make_jaxpr(function)(*self._sample) for function in functions]
        held = [*self.draw(0).trainable, *(array for one in traced for array in one.consts)]
        digests = [hashlib.sha256(np.asarray(array).tobytes()).hexdigest() for array in held]
        texts = [re.sub("0x[0-9a-f]+", "", str(one)) for one in traced]  # addresses in memory
        return str([*self._paths, *texts, *digests])

    def draw(self, seed: int) -> Weights:
        """``init(jax.random.key(seed))``."""
        import numpy as np

        return Weights([np.asarray(a) for a in self._jax.tree.leaves(self._params(seed))], [])

    def loss(self, trainable: Sequence[Any], state: Sequence[Any], x: Any, y: Any) -> Any:
        """See ``intake.Network``."""
        return self._mean(self._task.loss, trainable, x, y), list(state)

    def measure(
        self, trainable: Sequence[Any], state: Sequence[Any], x: Any, y: Any, way: Any = None
    ) -> Any:
        """See ``intake.Network``."""
        functions = (self._task.loss, *self._task.metrics.values())
        return self._jax.numpy.stack([self._mean(f, trainable, x, y) for f in functions])

    def judged(
        self,
        trainable: Sequence[Any],
        state: Sequence[Any],
        x: Any,
        y: Any,
        way: Any = None,
    ) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """See ``intake.Network``."""
        jnp, task = self._jax.numpy, self._task
        params = self._jax.tree.unflatten(self._structure, list(trainable))
        given = params, task.inputs(x), task.targets(y)
        functions: tuple[Any, ...] = (task.loss, *task.metrics.values())
        values = [function(*given) for function in functions]
        if all(value.ndim for value in values):
            return lambda *rows: jnp.stack([each.mean() for each in rows]), tuple(values)
        return partial(self.measure, trainable, state), (x, y)

    def penalty(self, trainable: Sequence[Any], state: Sequence[Any], x: Any) -> float:
        """See ``intake.Network``: a loss of one's own has what regularizes in it."""
        return 0.0

    def framework_scores(self, held_out: Any, training: Any) -> ByWeights:
        """Loss and metrics of a few rows by the functions themselves."""
        functions = (self._task.loss, *self._task.metrics.values())

        def at(trainable: Sequence[Any], state: Sequence[Any]) -> Scores:
            scores = [self._mean(f, trainable, *held_out) for f in functions]
            return Scores(scores, self._mean(self._task.loss, trainable, *training))

        return at

    def save(self, trainable: Sequence[Any], state: Sequence[Any], folder: Path) -> Saved:
        """Write the parameters, each under its place in the nest."""
        import numpy as np

        np.savez(folder / ARRAYS, **dict(zip(self._paths, trainable, strict=True)))
        return Saved(ARRAYS)

    def _mean(self, function: Any, trainable: Sequence[Any], x: Any, y: Any) -> Any:
        params = self._jax.tree.unflatten(self._structure, list(trainable))
        return function(params, self._task.inputs(x), self._task.targets(y)).mean()


def _variables(paths: Sequence[str], leaves: Sequence[Any]) -> tuple[Variable, ...]:
    return tuple(
        Variable(path, tuple(getattr(a, "shape", ())), str(getattr(a, "dtype", "float32")), True)
        for path, a in zip(paths, leaves, strict=True)
    )


def _flat(jax: Any, params: Any) -> tuple[list[str], list[Any], Any]:
    """Where each parameter is, the parameters, and their nest."""
    found, structure = jax.tree_util.tree_flatten_with_path(params)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in found]
    return names, [leaf for _, leaf in found], structure
