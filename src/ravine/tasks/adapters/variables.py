"""The variables of a model: in the process that asks for a race, and in a worker."""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from ravine.errors import InvalidArgument
from ravine.tasks.adapters.canonical import canonical_paths, same_place

RANDOM = "seed_generator_state"  # whose dtype is the backend's


class Variable(NamedTuple):
    """One array of a model."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    trainable: bool

    def __str__(self) -> str:
        kind = "trainable" if self.trainable else "not trainable"
        return f"'{self.path}' {self.shape} {self.dtype}, {kind}"


def of_keras(model: Any) -> tuple[Variable, ...]:
    """The variables of a Keras model; none before it is built."""
    trainable = {id(v) for v in model.trainable_variables}
    held = [v for v in model.variables if not v.path.endswith(RANDOM)]
    paths = canonical_paths([v.path for v in held])
    return tuple(
        Variable(path, tuple(v.shape), str(v.dtype), id(v) in trainable)
        for path, v in zip(paths, held, strict=True)
    )


def of_torch(module: Any) -> tuple[Variable, ...]:
    """The parameters and buffers of a module."""
    parameters = dict(module.named_parameters())
    held = {**parameters, **dict(module.named_buffers())}
    return tuple(
        Variable(name, tuple(one.shape), str(one.dtype), name in parameters and one.requires_grad)
        for name, one in held.items()
    )


def built_here(framework: str, build: Callable[[], Sequence[Variable]]) -> tuple[Variable, ...]:
    """The variables of what a function builds in this process, which goes on as if it had not.

    None where this process has not imported the framework, or cannot build it: a worker then says
    why, in its own words.
    """
    if framework not in sys.modules:
        return ()
    with suppress(Exception), _random_states():
        return tuple(build())
    return ()


def compare(here: Sequence[Variable], there: Sequence[Variable], name: str) -> None:
    """Raises ``InvalidArgument`` if a worker's model has other variables than the one
    here, if any.
    """
    pairs = zip(here, there, strict=False)
    one, other = next(((a, b) for a, b in pairs if not _alike(a, b)), (None, None))
    if not here or (one is None and len(here) == len(there)):
        return
    if one is None:
        found = f"{len(here)} variables in this process and {len(there)} in a worker"
    else:
        found = f"{one} in this process and {other} in a worker"
    if (
        one is not None
        and other is not None
        and one.shape == other.shape
        and one.dtype != other.dtype
    ):
        why = (
            "64-bit numbers of this process do not reach the worker, as it had none when the task "
            "was made; give the dtype to what makes the array"
        )
    else:
        why = (
            "what decides it does not reach the worker, such as a global variable of a module, or "
            "an argument that get_config leaves out; give it to the function that builds the "
            "model, such as functools.partial(make_model, units=64)"
        )
    raise InvalidArgument(f"the model of '{name}' has {found}: {why}")


def _alike(one: Variable, other: Variable) -> bool:
    # How wide whole numbers are, such as a layer's count of rows, is for the backend to say.
    whole = one.dtype.startswith("int") and other.dtype.startswith("int")
    same = one.shape == other.shape and one.trainable == other.trainable
    return same and (whole or one.dtype == other.dtype) and same_place(one.path, other.path)


@contextmanager
def _random_states() -> Iterator[None]:
    """Leave the streams of random numbers of this process where they are."""
    python = random.getstate()
    numpy = sys.modules.get("numpy")
    torch = sys.modules.get("torch")
    states = numpy and numpy.random.get_state(), torch and torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        if numpy is not None:
            numpy.random.set_state(states[0])
        if torch is not None:
            torch.set_rng_state(states[1])
