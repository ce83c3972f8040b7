"""Races that are really killed, starved, damaged and filled up: no curve changes, none is lost."""

import importlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ravine
from ravine.errors import InvalidArgument, RavineError
from ravine.execution import session
from ravine.execution.in_process import Here, InProcess
from ravine.execution.job import Job
from ravine.execution.scheduler import Scheduler
from ravine.execution.worker import opened
from ravine.execution.worker_backend import OnMessage
from ravine.experiment import plan
from ravine.experiment.curve import Curve
from ravine.reporting import charts, report, vega
from ravine.storage.store import FILE, Store
from ravine.storage.work_files import program_file, weights_file

KILLS = int(os.environ.get("RAVINE_TEST_KILLS", "3"))  # each takes some six seconds of a core
FRESH = plan.FIRST_SEED["evaluation"]
# Two functions in JAX: their workers import no Keras, which takes longer than all that they do.
LINE = """
from dataclasses import replace
from pathlib import Path

def points():
    import numpy as np
    from ravine.tasks.task import Data, Split
    x = np.linspace(-1, 1, 64, dtype="float32")[:, None]
    return Data(*[Split(x, 3 * x + 1)] * 3)

def init(key):
    import jax
    return {"w": jax.random.normal(key, (1, 1)), "b": jax.numpy.zeros(1)}

def squared(params, x, y):
    return (x @ params["w"] + params["b"] - y)[:, 0] ** 2

def go(folder, workers=2):
    import ravine
    from ravine.reporting import charts, report, vega
    from ravine.experiment import plan

    # Packs of two lanes, runs of four segments.
    plan.LANE_BYTES, plan.SEGMENT_ROWS = 16 * 2 * 2, plan.LANES * 8 * 10
    # Pages are published, but there is nothing on them.
    vega.prepare = lambda: None
    charts.chart = lambda *_, **__: None
    charts.save = lambda _, *files: [file.touch() for file in files]
    report.write = lambda _, file: file.touch()
    train, held_out, _ = points()
    task = ravine.Task.from_jax(
        *(init, squared, tuple(train)), validation_data=tuple(held_out),
        test_data=tuple(held_out), name="line", epochs=5, batch_size=8,
    )
    task = replace(task, load=points)
    if (Path(folder) / "race.sqlite").exists():
        return ravine.resume(folder, task=task, workers=workers, progress=False)
    # At a rate of 30 every run diverges, next to one that does not.
    return ravine.race(task, rules=["adam"], learning_rates=[0.1, 30], tuning_seeds=3, eval_seeds=2,
                       out=folder, workers=workers, progress=False)
"""
# Says what it is, and kills itself, at the n-th line that it does of ravine's own code.
SITECUSTOMIZE = """
import os, signal, sys

worker = "ravine.execution.worker" in sys.orig_argv
left = int(os.environ.get("WORKER_MOMENT" if worker else "DRIVER_MOMENT") or 0)
places = ("worker.py",) if worker else ("api.py", "/race.py", "scheduler.py", "store.py")
going = worker  # the driver once the plan is stored and the race has begun

def called(frame, event, argument):
    global going
    code = frame.f_code
    if "/ravine/" not in code.co_filename or not code.co_filename.endswith(places):
        return None
    if code.co_name.startswith("<"):
        return None
    going = going or code.co_name == "_race"
    return done if going else None

def done(frame, event, argument):
    global left
    left -= 1
    if left > 0:
        return done
    sys.settrace(None)
    if worker:  # one of them alone: two over the same runs would have them done with fewer lanes
        try:
            os.close(os.open(os.environ["CLAIM"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return None
    with open(os.environ["MOMENTS"], "w") as pipe:
        print("worker" if worker else "driver", file=pipe)
    os.kill(os.getpid(), signal.SIGKILL)

if left and not (worker and os.path.exists(os.environ["CLAIM"])):
    sys.settrace(called)
"""


@contextmanager
def ours(place: Path) -> Iterator[Callable[..., ravine.Race]]:
    """``line.go`` in this process, which is as it was afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        for module, names in {
            plan: ("LANE_BYTES", "SEGMENT_ROWS"),
            charts: ("chart", "save"),
            report: ("write",),
            vega: ("prepare",),
        }.items():
            for name in names:
                patch.setattr(module, name, getattr(module, name))
        sys.modules.pop("line", None)
        yield importlib.import_module("line").go


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the task is, with an undisturbed race of it in ``race``."""
    place = tmp_path_factory.mktemp("line")
    (place / "line.py").write_text(LINE, encoding="utf-8")
    (place / "sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")
    with ours(place) as go:
        go(place / "race", workers=0)
    return place


@pytest.fixture
def go(line: Path) -> Iterator[Callable[..., ravine.Race]]:
    """``line.go`` in this process."""
    with ours(line) as found:
        yield found


class Mortal(Here):
    """A worker in this process, which ends as a process does that is given a bomb."""

    def submit(self, name: str, arguments: Mapping[str, Any]) -> None:
        if "bomb" in arguments:
            self._on_message(self, ("died", "exit code 3"))
        else:
            super().submit(name, arguments)


class Two(InProcess):
    """Two such workers, each with a memory of its own."""

    def __init__(self, workbench: Mapping[str, Any]) -> None:
        super().__init__(workbench)
        self._workbench = workbench

    def slots(self) -> int:
        return 2

    def spawn(self, slot: int, on_message: OnMessage) -> Here:
        return Mortal(opened(**self._workbench), on_message)


@pytest.fixture
def two_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Races have two workers in this process."""
    monkeypatch.setattr(session, "here", lambda _, workbench: Two(workbench))


def stored(folder: Path) -> list[Curve]:
    with closing(Store(folder, reading=True)) as store:
        return store.curves()


def test_killed_at_any_moment_the_curves_are_the_same(
    line: Path, tmp_path: Path, assert_same: Callable[..., None]
) -> None:
    """Drivers and workers, at the n-th line that they do, n drawn from a seed."""
    moments, draw = tmp_path / "moments", np.random.default_rng(0)
    os.mkfifo(moments)
    kills: list[tuple[str, int]] = []
    races = starts = 0
    folder = tmp_path / "0"
    while len(kills) < KILLS or folder.exists():
        environment = {
            **os.environ,
            "PYTHONPATH": str(line),
            "MOMENTS": str(moments),
            "CLAIM": str(tmp_path / f"claim-{starts}"),
        }
        if len(kills) < KILLS:
            # A race has some 10,000 lines of the driver, and 2,800 of each of two workers. In turn
            # the driver is killed, either or both, a worker.
            if starts % 3 != 2:
                environment["DRIVER_MOMENT"] = str(draw.integers(1, 10_000))
            if starts % 3 != 0:
                environment["WORKER_MOMENT"] = str(draw.integers(1, 1_200))
        starts += 1
        # Open for both, so that neither waits for the other, and reading ends with the driver.
        pipe = os.open(moments, os.O_RDWR)
        with subprocess.Popen(
            [sys.executable, "-c", f"import line; line.go({str(folder)!r})"],
            cwd=line,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        ) as driver:
            killed, said = listen(driver, pipe, folder)
        os.close(pipe)
        kills += killed
        assert driver.returncode in (0, -signal.SIGKILL), said
        if driver.returncode == 0:
            assert_same(stored(folder), stored(line / "race"))
            assert sorted(os.listdir(folder)) == sorted(os.listdir(line / "race"))
            races += 1
            folder = tmp_path / str(races)
    # Both were killed, and not always at the same point of a race.
    who = [one for one, _ in kills]
    assert min(who.count("worker"), who.count("driver")) >= max(1, KILLS // 4)
    assert len({done for _, done in kills}) >= max(2, KILLS // 4)


def listen(
    driver: "subprocess.Popen[str]", pipe: int, folder: Path
) -> tuple[list[tuple[str, int]], str]:
    """Who was killed and how many segments were stored then; until the driver ends."""
    assert driver.stderr is not None
    kills, said = [], ""
    while True:
        ready, _, _ = select.select([pipe, driver.stderr], [], [])
        if pipe in ready:
            kills += [(who, segments(folder)) for who in os.read(pipe, 4096).decode().split()]
        elif chunk := driver.stderr.readline():
            said += chunk
        else:
            driver.wait()
            return kills, said


def segments(folder: Path) -> int:
    if not (folder / FILE).exists():
        return 0
    with closing(Store(folder, reading=True)) as store:
        return sum(store.segments_done().values())


def test_damaged_files_are_made_again(
    go: Callable[..., ravine.Race],
    two_workers: None,
    line: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_same: Callable[..., None],
) -> None:
    folder, take, damaged = tmp_path / "race", Scheduler.next_job, set()

    def cut(file: Path) -> None:
        os.truncate(file, file.stat().st_size // 2)

    def flip(file: Path) -> None:
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)

    harm: dict[str, tuple[int, Callable[[Path], None]]] = {
        "data.npz": (0, cut),
        "weights-*": (0, Path.unlink),
        "program-*": (0, flip),
        "checkpoint-*": (2, cut),
    }

    def harmful(self: Scheduler, worker: int) -> Job | None:
        job = take(self, worker)
        if job is not None and job.name == "advance":
            for pattern, (segment, what) in harm.items():
                # Worker 0 has the data in its memory since it traced.
                begun = job.arguments["segment"] >= segment if segment else worker == 1
                if begun and pattern not in damaged:
                    damaged.add(pattern)
                    for file in (folder / "work").glob(pattern):
                        what(file)
        return job

    monkeypatch.setattr(Scheduler, "next_job", harmful)
    go(folder)
    assert damaged == set(harm)
    assert_same(stored(folder), stored(line / "race"))


def test_going_on_makes_only_what_is_not_there(
    go: Callable[..., ravine.Race],
    line: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_same: Callable[..., None],
) -> None:
    folder, bare, take = tmp_path / "race", tmp_path / "bare", Scheduler.next_job
    made: list[Job] = []

    def stopped(self: Scheduler, worker: int) -> Job | None:
        job = take(self, worker)
        if (
            job is not None
            and job.name == "advance"
            and job.arguments["runs"][0].stage == "evaluation"
        ):
            raise KeyboardInterrupt
        return job

    def watched(self: Scheduler, worker: int) -> Job | None:
        job = take(self, worker)
        if job is not None and job.name != "advance":
            made.append(job)
        return job

    monkeypatch.setattr(Scheduler, "next_job", stopped)
    with pytest.raises(KeyboardInterrupt):
        go(folder, workers=0)  # which makes all files before it trains
    shutil.copytree(folder, bare)
    shutil.rmtree(bare / "work")
    weights = folder / "work" / weights_file(FRESH)
    os.truncate(weights, weights.stat().st_size // 2)

    monkeypatch.setattr(Scheduler, "next_job", watched)
    go(folder, workers=0)
    # Programs are code, which is never taken from a folder.
    assert [job.name for job in made] == ["describe", "trace", "trace", "draw"]
    traced = {job.arguments["program"] for job in made[1:3]}
    assert traced == {program_file("sgd", 2), program_file("adam", 2)}
    assert made[3].arguments["seeds"] == [FRESH]
    assert_same(stored(folder), stored(line / "race"))
    made.clear()
    go(bare, workers=0)  # of the stages that are done it needs nothing
    assert [seed for job in made for seed in job.arguments.get("seeds", [])] == [FRESH, FRESH + 1]
    assert_same(stored(bare), stored(line / "race"))


def test_a_run_that_kills_its_workers_fails_alone(
    two_workers: None,
    line: Path,
    tmp_path: Path,
    no_charts: None,
    monkeypatch: pytest.MonkeyPatch,
    assert_same: Callable[..., None],
) -> None:
    folder, take = tmp_path / "race", Scheduler.next_job

    def deadly(self: Scheduler, worker: int) -> Job | None:
        job = take(self, worker)
        if job is None or job.name != "advance":
            return job
        if any(
            (r.rule, r.stage, r.seed) == ("adam", "evaluation", 2_000_001)
            for r in job.arguments["runs"]
        ):
            return job._replace(arguments={**job.arguments, "bomb": True})
        return job

    monkeypatch.setattr(Scheduler, "next_job", deadly)
    with ours(line) as go:
        race = go(folder)
    curves, undisturbed = stored(folder), stored(line / "race")
    (failed,) = (c for c in curves if c.failure)
    (narrowed,) = (c for c in curves if c.narrowed)
    assert failed.failure.startswith("its worker died 4 times: exit code")
    assert (failed.run.rule, failed.run.seed) == ("adam", 2_000_001)
    assert np.isnan(failed.losses).all()
    assert (narrowed.narrowed, narrowed.run.seed) == (1, 2_000_000)
    expected = {c.run: c for c in undisturbed}
    np.testing.assert_allclose(narrowed.losses, expected[narrowed.run].losses, rtol=1e-4)
    same = [c for c in curves if not (c.failure or c.narrowed)]
    assert_same(same, [expected[c.run] for c in same])
    # It is said wherever results are.
    assert race.finished
    row = race.leaderboard.set_index("rule").loc["adam"]
    assert (row["failed"], row["runs"], row["diverged"]) == (1, 2, 0)
    assert row["reached"] <= 1
    content = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    assert {r["rule"]: r["failed"] for r in content["rules"]} == {"sgd": 0, "adam": 1}
    said = " ".join(content["warnings"])
    assert "Adam: 1 evaluation run failed" in said
    assert "1 run of Adam had to be done with fewer lanes" in said
    page = race.report().read_text(encoding="utf-8")
    assert "<b>1</b> failed" in page
    assert "Adam: 1 evaluation run failed" in page
    # The splits of this task are the same rows; but no seed began otherwise for another rule.
    audits = {audit["what"]: audit["result"] for audit in content["audits"]}
    for what in ("initial weights", "batch order", "loss before step one"):
        assert audits[what] == "passed"


def test_where_nothing_can_be_done_the_race_stops(
    go: Callable[..., ravine.Race],
    two_workers: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take = Scheduler.next_job

    def deadly(self: Scheduler, worker: int) -> Job | None:
        job = take(self, worker)
        if job is None or job.name != "advance":
            return job
        return job._replace(arguments={**job.arguments, "bomb": True})

    monkeypatch.setattr(Scheduler, "next_job", deadly)
    with pytest.raises(RavineError, match=r"no run could be done; of .* its worker died 4 times"):
        go(tmp_path / "race")
    assert stored(tmp_path / "race") == []


# A worker's first file is larger, what it is given is smaller; the driver's: for some fourteen
# segments, of which a busy machine stores several at a time.
@pytest.mark.parametrize(("workers", "room"), [(1, 2_500), (0, 100_000)], ids=["worker", "driver"])
def test_a_full_disk_loses_nothing(
    workers: int,
    room: int,
    go: Callable[..., ravine.Race],
    line: Path,
    tmp_path: Path,
    assert_same: Callable[..., None],
) -> None:
    folder = tmp_path / "race"
    little = f"import resource as r; r.setrlimit(r.RLIMIT_FSIZE, ({room}, {room}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{little}; import line; line.go({str(folder)!r}, {workers})"],
        cwd=line,
        text=True,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},  # Python would leave half of a file
    )
    assert done.returncode == 1
    assert "RavineError: cannot write to" in done.stderr
    assert not list(tmp_path.rglob("*.part"))
    if workers:
        assert not folder.exists()
    else:
        with closing(Store(folder, reading=True)) as kept:
            assert kept.segments_done()
        go(folder, workers=0)
        assert_same(stored(folder), stored(line / "race"))


def test_a_race_that_was_stopped_before_its_plan_says_so(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with pytest.raises(InvalidArgument, match="stopped before it had a plan"):
        ravine.resume(tmp_path)
