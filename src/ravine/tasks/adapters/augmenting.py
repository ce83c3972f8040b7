"""Batches that are augmented as they are trained on: by a function of inputs and a key, on JAX.

It runs in the program, at each step with another key, and never on what is held out. The key
follows from the seed of a run and its step, so that all rules see the same batches.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ravine.errors import InvalidArgument
from ravine.tasks.adapters.failures import line_of
from ravine.tasks.adapters.keras_network import Weights
from ravine.tasks.adapters.own_task import OwnTask
from ravine.tasks.adapters.pytree import mapped
from ravine.tasks.adapters.reference_evaluation import ByWeights
from ravine.tasks.adapters.serialization import is_keras

TAG = 0x61756776  # of the keys, which are none that ``init`` splits the seed's into

Augment = Callable[[Any, Any], Any]


def checked(augment: Any) -> Augment | None:
    """What a user gives as ``augment=``. Raises ``InvalidArgument`` unless it is a function."""
    if is_keras(augment, "Layer"):
        raise InvalidArgument(
            f"augment is a {type(augment).__name__} of Keras, which draws by itself: put it into "
            "the model, where it draws by the seed of a run and rests in evaluation"
        )
    if augment is not None and not callable(augment):
        raise InvalidArgument(
            f"augment is a {type(augment).__name__}: give a function of a batch and a key"
        )
    return augment  # type: ignore[no-any-return]  # as far as can be asked


def said(augment: Any) -> str:
    """What a description adds."""
    name = getattr(augment, "__name__", type(augment).__name__)
    return "" if augment is None else f"; training batches are augmented by {name}"


def key_of(seed: Any, step: Any) -> Any:
    """The key of a step of a run, from 1 on."""
    import jax

    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), TAG), step)


class Augmented:
    """A network that is trained on augmented batches. The last of its state: the seed, the step."""

    def __init__(self, network: Any, task: OwnTask) -> None:
        self._network, self._task = network, task
        self._traced = self._check()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    @property
    def config(self) -> str:
        """With what the augmentation computes, which decides a result too."""
        return f"{self._network.config} augmented by {self._traced}"

    def draw(self, seed: int) -> Weights:
        """See ``Network``."""
        import numpy as np

        trainable, state = self._network.draw(seed)
        return Weights(trainable, [*state, np.array([seed, 0], np.uint32)])

    def loss(self, trainable: Sequence[Any], state: Sequence[Any], x: Any, y: Any) -> Any:
        """See ``Network``: of the batch as it is augmented at this step."""
        *held, at = state
        at = at + at.dtype.type([0, 1])
        x = self._augmented(x, key_of(*at))
        loss, new = self._network.loss(trainable, held, x, y)
        return loss, [*new, at]

    def measure(
        self, trainable: Sequence[Any], state: Sequence[Any], x: Any, y: Any, *way: Any
    ) -> Any:
        """See ``Network``."""
        return self._network.measure(trainable, state[:-1], x, y, *way)

    def penalty(self, trainable: Sequence[Any], state: Sequence[Any], x: Any) -> Any:
        """See ``Network``."""
        return self._network.penalty(trainable, state[:-1], x)

    def predict(self, trainable: Sequence[Any], state: Sequence[Any], x: Any) -> Any:
        """See ``Network``."""
        return self._network.predict(trainable, state[:-1], x)

    def save(self, trainable: Sequence[Any], state: Sequence[Any], folder: Any) -> Any:
        """See ``Network``."""
        return self._network.save(trainable, state[:-1], folder)

    def framework_scores(self, held_out: Any, training: Any) -> ByWeights:
        """See ``Network``: the framework trains on the batch that step one of seed 0 augments."""
        x, y = training
        scores = self._network.framework_scores(held_out, (self._augmented(x, key_of(0, 1)), y))
        return lambda trainable, state: scores(trainable, state[:-1])

    def _augmented(self, x: Any, key: Any) -> Any:
        """The arrays of a batch, as they are laid out in a split."""
        assert self._task.augment is not None
        given = self._task.inputs(x)
        found = in_order(given, self._task.augment(given, key))
        return found if isinstance(x, list | tuple) else found[0]

    def _check(self) -> str:
        """What it computes, as text. Raises ``InvalidArgument`` for what no program can do."""
        import jax

        x, augment = self._task.inputs(self._task.sample.x), self._task.augment
        assert augment is not None
        try:
            traced, again = (_trace(augment, x) for _ in range(2))
            shapes = jax.eval_shape(augment, x, key_of(0, 1))
        except Exception as error:
            raise InvalidArgument(
                f"augment failed: {line_of(error)}: it is called with a batch of inputs and a key, "
                "and compiled: use jax.numpy and jax.random in it"
            ) from error
        if traced != again:
            raise InvalidArgument(
                "augment draws without its key, so that every step would draw the same: use "
                "jax.random with the key"
            )
        wanted, given = (mapped(_kind, nest) for nest in (x, shapes))
        if wanted != given:
            raise InvalidArgument(
                f"augment gives {given} for {wanted}: give a batch of the same "
                "shape and dtype, such as y.astype(x.dtype)"
            )
        return traced


def _trace(augment: Augment, x: Any) -> str:
    import jax
    import numpy as np

    # Of another function each time, as what is traced once is kept.
    traced = jax.make_jaxpr(partial(augment))(x, key_of(0, 1))
    held = [hashlib.sha256(np.asarray(array).tobytes()).hexdigest() for array in traced.consts]
    return str([re.sub("0x[0-9a-f]+", "", str(traced)), *held])  # without addresses in memory


def in_order(like: Any, found: Any) -> list[Any]:
    """The arrays of a nest in the order of another of the same form, whose dicts have one."""
    if isinstance(like, Mapping):
        return [leaf for key in like for leaf in in_order(like[key], found[key])]
    if isinstance(like, list | tuple):
        return [leaf for a, b in zip(like, found, strict=True) for leaf in in_order(a, b)]
    return [found]


def _kind(array: Any) -> tuple[tuple[int, ...], str]:
    return tuple(array.shape), str(array.dtype)
