"""What every test stands on: one Keras backend for this process, quiet libraries, own cache."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from ravine.racing.store import Curve

# Keras chooses its backend once, at its first import.
os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# Hundreds of processes are begun, and each would compile all of ravine's source again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Compiled programs of the tests are shared among them and not left behind for the user.
if "RAVINE_CACHE" not in os.environ:
    os.environ["RAVINE_CACHE"] = tempfile.mkdtemp(prefix="ravine-test-cache-")
    atexit.register(shutil.rmtree, os.environ["RAVINE_CACHE"], ignore_errors=True)
# Beside others, a process of tests keeps to one core, and so do the races that it starts, which
# have a worker a core: where all took all cores they would only wait for each other.
if (beside := os.environ.get("PYTEST_XDIST_WORKER")) and hasattr(os, "sched_setaffinity"):
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(beside.removeprefix("gw")) % len(cores)]})
# No test asserts a time, and a busy machine is no failure.
settings.register_profile("ravine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ravine")

# Those that take a minute or more, the longest first.
LONG = [
    "test_race.py",
    "racing/test_ray.py",
    "test_docs.py",
    "racing/test_safety.py",
    "tasks/own/test_native_race.py",
    "frameworks/natives/test_walked.py",
    "test_again.py",
    "test_confirming.py",
    "frameworks/test_keras.py",
    "test_levers.py",
    "racing/test_engine.py",
    "tasks/own/test_matrix.py",
    "test_examples.py",
    "tasks/test_contract.py",
    "racing/test_pool.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Processes are handed file after file: were a long one the last, the others would idle."""
    here = Path(__file__).parent
    ranks = {here / name: rank for rank, name in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.path, len(LONG)))


def same(ours: "Sequence[Curve]", theirs: "Sequence[Curve]", ids: bool = True) -> None:
    """The same runs, and every number of them the same bit for bit.

    ``ids``: whether they are known by the same, which tells how a run is cut too.
    """
    known = ("stage", "rule", "learning_rate", "seed") + ("id",) * ids
    for a, b in zip(ours, theirs, strict=True):
        assert [getattr(a.run, k) for k in known] == [getattr(b.run, k) for k in known]
        assert (a.failure, a.narrowed) == (b.failure, b.narrowed)
        assert (a.weights_digest, a.batches_digest) == (b.weights_digest, b.batches_digest)
        assert a.losses.tobytes() == b.losses.tobytes()
        assert a.measures.tobytes() == b.measures.tobytes()


@pytest.fixture(scope="session")
def assert_same() -> Callable[..., None]:
    return same


# Programs of their own, which import what lies beside them.
collect_ignore_glob = ["**/keras_oracle.py", "**/large.py"]
