"""How a worker imports Keras: in half the time, without what Keras imports for others."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

# Keras wraps models for scikit-learn and takes tables of pandas; a worker trains with arrays. Keras
# does without either where it is not installed. Of 3.4 s of `import keras` on JAX they are 1.8.
UNUSED = ("sklearn", "pandas")


def shorten() -> None:
    """Have this process import Keras so, whoever is the first to import it."""
    sys.meta_path.insert(0, _Finder())


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """As if what is not imported yet of these were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    modules: dict[str, Any] = sys.modules
    modules |= dict.fromkeys(hidden)  # None: Python's own sign for what cannot be imported
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]


class _Finder:
    """Finds Keras where the others do, once, and sees to how it is executed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See ``importlib.abc.MetaPathFinder``."""
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def executed(module: ModuleType) -> None:
                with absent(*UNUSED):
                    execute(module)

            spec.loader.exec_module = executed  # type: ignore[method-assign]
        return spec
