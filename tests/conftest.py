"""What every test stands on: one Keras backend for this process, quiet libraries, own cache."""

import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from ravine.experiment.curve import Curve
    from ravine.tasks.task import Task

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
# So are those of tests that compile in their own process.
os.environ["JAX_COMPILATION_CACHE_DIR"] = os.environ["RAVINE_CACHE"]
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
# Beside others, a process of tests keeps to one core, and so do the races that it starts, which
# have a worker a core: where all took all cores they would only wait for each other. Another that
# keeps to none has what the others leave, who wait for browsers and for clusters now and then.
if (beside := os.environ.get("PYTEST_XDIST_WORKER")) and hasattr(os, "sched_setaffinity"):
    cores = sorted(os.sched_getaffinity(0))
    if (number := int(beside.removeprefix("gw"))) < len(cores):
        os.sched_setaffinity(0, {cores[number]})
# How many cases Hypothesis tries of what costs little; of races that are judged a tenth.
EXAMPLES = int(os.environ.get("RAVINE_TEST_EXAMPLES", "100"))
# No test asserts a time, and a busy machine is no failure.
settings.register_profile(
    *("ravine",),
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ravine")

# Those that take twenty seconds or more, the longest first.
LONG = [
    "execution/test_ray.py",
    "reporting/test_explorer.py",
    "reporting/test_report.py",
    "frameworks/test_keras.py",
    "frameworks/translate/test_walked.py",
    "test_race_command_line.py",
    "execution/test_safety.py",
    "test_crosscheck.py",
    "tasks/adapters/test_native_race.py",
    "test_docs.py",
    "tasks/adapters/test_matrix.py",
    "test_trust.py",
    "test_site.py",
    "test_examples.py",
    "tasks/test_contract.py",
    "execution/test_pool.py",
    "test_validation.py",
    "frameworks/test_torch.py",
    "test_ablation.py",
    "training/test_gpu.py",
    "training/test_engine.py",
    "execution/test_scale.py",
    "test_race.py",
    "tasks/adapters/test_large.py",
    "execution/test_environment.py",
    "test_lean_install.py",
    "execution/test_actions.py",
    "experiment/test_pruning.py",
]


def pytest_xdist_auto_num_workers() -> int:
    """With ``-n auto`` a process for each core, and one more: see above."""
    return len(getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Processes are handed file after file: were a long one the last, the others would idle."""
    here = Path(__file__).parent
    ranks = {here / name: rank for rank, name in enumerate(LONG)}
    assert all(path.exists() for path in ranks), "a file of LONG has another name"
    items.sort(key=lambda item: ranks.get(item.path, len(LONG)))


def pytest_collection_finish() -> None:
    """What all files have imported stays: the garbage collector need not look at it time and again.

    Each look takes half a second of it, and pytest alone has five at its end.
    """
    gc.collect()
    gc.freeze()


def same(ours: "Sequence[Curve]", theirs: "Sequence[Curve]", ids: bool = True) -> None:
    """The same runs, and every number of them the same bit for bit.

    ``ids``: whether they are known by the same, which tells how a run is cut too.
    """
    known = ("stage", "rule", "configuration", "seed", "steps") + ("id",) * ids
    for a, b in zip(ours, theirs, strict=True):
        assert [getattr(a.run, k) for k in known] == [getattr(b.run, k) for k in known]
        assert (a.failure, a.narrowed) == (b.failure, b.narrowed)
        assert (a.weights_digest, a.batches_digest) == (b.weights_digest, b.batches_digest)
        assert a.losses.tobytes() == b.losses.tobytes()
        assert a.measures.tobytes() == b.measures.tobytes()


@pytest.fixture(scope="session")
def assert_same() -> Callable[..., None]:
    return same


@pytest.fixture(scope="session")
def tiny_task() -> "Task":
    """A straight line through 64 points: a run takes a millisecond."""
    import numpy as np

    from ravine.tasks.task import Data, Split, Task

    def points() -> Data:
        x = np.linspace(-1, 1, 64, dtype="float32")[:, None]
        return Data(*[Split(x, 3 * x + 1)] * 3)

    def model() -> Any:
        import keras

        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

    def squared(y_true: Any, y_pred: Any) -> Any:
        return (y_true - y_pred)[:, 0] ** 2

    return Task("line", "a line through points", model, points, squared, {}, 5, 8)


@contextmanager
def pages_unwritten() -> Iterator[None]:
    """Races write no report and no pictures, which take most of a small race's time."""
    from ravine.execution import actions, session
    from ravine.storage.store import WORK

    def without(race: Any) -> None:
        shutil.rmtree(race.folder / WORK, ignore_errors=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "publish_pages", without)
        patch.setattr(actions, "publish_pages", without)
        patch.setattr(session.vega, "prepare", lambda: None)
        yield


@pytest.fixture
def no_pages() -> Iterator[None]:
    """See ``pages_unwritten``."""
    with pages_unwritten():
        yield


# Of a chart in a report: neither a picture nor what it is drawn from.
NO_CHART: dict[str, Any] = dict.fromkeys(("name", "title", "why", "caption", "beside", "still"), "")
NO_CHART |= {"options": {}, "table": {"columns": (), "rows": (), "texts": 0}}
# The command line, but for pictures, for a process of its own: ``python -c … race …``.
COMMAND_LINE = f"""
from ravine.cli.app import main
from ravine.reporting import charts, report, vega

vega.prepare = lambda: None
report._picture = lambda *_: {NO_CHART!r}
charts.chart = lambda *_, **__: None
charts.save = lambda _, *files: [file.touch() for file in files]
"""


@pytest.fixture
def no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have all of their words and none of their charts, which take longer than a race."""
    from ravine.reporting import report

    monkeypatch.setattr(report, "_picture", lambda *_: NO_CHART)


# XLA's option without which it compiles a program in a seventh of the time, if little else is done.
UNFUSED = "xla_cpu_use_fusion_emitters"
# The same for a process of its own that computes with JAX: its environment.
QUICKLY = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "XLA_FLAGS": f"--{UNFUSED}=false"}


@pytest.fixture(scope="module")
def compiled_quickly() -> Iterator[None]:
    """Programs of this process are hardly optimized, where compiling takes longer than they do."""
    import jax
    from jax._src import compiler

    from ravine.training import engine

    set_flag: Any = jax.config.update
    set_flag("jax_disable_most_optimizations", True)
    options_of = compiler.get_compile_options

    def unfused(*given: Any, **told: Any) -> Any:
        options: Any = options_of(*given, **told)
        if jax.config.values["jax_disable_most_optimizations"]:  # and not for ``tiny_race``
            options.env_option_overrides = [*options.env_option_overrides, (UNFUSED, False)]
        return options

    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(engine.SETTINGS, "jax_disable_most_optimizations")
        patch.setattr(compiler, "get_compile_options", unfused)
        yield
    set_flag("jax_disable_most_optimizations", False)
    jax.clear_caches()  # what was compiled so is not for those who compare bits


@pytest.fixture(scope="session")
def tiny_race(tiny_task: "Task", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished race of two rules in this process, without pages.

    It is for all: whoever changes something copies it first. Whoever is the first to ask for it
    may have programs compiled quickly, but others compare its bits with those of a worker.
    """
    import jax

    import ravine

    flag = "jax_disable_most_optimizations"
    set_flag: Any = jax.config.update
    quick = jax.config.values[flag]
    set_flag(flag, False)
    jax.clear_caches()
    folder = tmp_path_factory.mktemp("tiny") / "race"
    with pages_unwritten():
        ravine.race(
            *(tiny_task,),
            rules=["sgd", "adam"],
            learning_rates=[0.01, 0.1],
            tuning_seeds=1,
            eval_seeds=6,
            workers=0,
            progress=False,
            out=folder,
        )
    set_flag(flag, quick)
    return folder


# Programs of their own, which import what lies beside them.
collect_ignore_glob = ["**/keras_oracle.py", "**/large.py"]
