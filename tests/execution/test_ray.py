"""A race on a real Ray cluster of several nodes: they go, they come, and no curve changes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from typer.testing import CliRunner

import ravine
from ravine.cli.app import app
from ravine.errors import InvalidArgument, RavineError
from ravine.execution import file_transfer, session
from ravine.execution.engine_worker import LATELY
from ravine.execution.ray_actor import PLACE, Opening, RayActor
from ravine.execution.ray_backend import RayWorker, connected
from ravine.execution.scheduler import Scheduler
from ravine.experiment import engines, plan
from ravine.experiment.curve import Curve
from ravine.storage.provenance import versions
from ravine.storage.store import FILE, Store

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found by Linux's means"),
    # Ray leaves pipes of the nodes' processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
# Packs of two lanes, runs of four segments.
LANES, ROWS = 2 * 16 * 2, plan.LANES * 8 * 10
RACE: Mapping[str, Any] = {
    "rules": ["adam"],
    # Three packs of a rule on the first seed, which are all that there is to do at first.
    "learning_rates": [0.01, 0.02, 0.03, 0.1, 0.3, 1.0],
    "tuning_seeds": 2,
    "eval_seeds": 2,
    "progress": False,
}
SMALL = {"object_store_memory": 80 << 20}  # bytes
QUICK = {  # a node that does not answer is given up after three seconds, on a busy machine too
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 3,
}
DRIVER = f"""
import os, signal, sys, cloudpickle, ravine
from ravine.execution import session
from ravine.experiment import plan
from ravine.storage.store import Store
plan.LANE_BYTES, plan.SEGMENT_ROWS = {LANES}, {ROWS}
session.publish_pages = session.vega.prepare = lambda *_: None
verb, folder, address, task = sys.argv[1:]
task = cloudpickle.load(open(task, "rb"))

def killed(self, *new, add=Store.add):
    add(self, *new)
    if sum(self.segments_done().values()) > 4:
        os.kill(os.getpid(), signal.SIGKILL)

if verb == "race":
    Store.add = killed
    ravine.race(task, out=folder, ray=address, **{RACE!r})
else:
    ravine.resume(folder, task=task, ray=address, progress=False)
"""

pytestmark.append(pytest.mark.usefixtures("no_pages"))


@pytest.fixture(scope="module")
def line() -> ravine.Task:
    """Two functions in JAX: their workers import no Keras."""

    def points() -> Any:
        from ravine.tasks.task import Data, Split

        x = np.linspace(-1, 1, 64, dtype="float32")[:, None]
        return Data(*[Split(x, 3 * x + 1)] * 3)

    def init(key: Any) -> Any:
        import jax

        return {"w": jax.random.normal(key, (1, 1)), "b": jax.numpy.zeros(1)}

    def squared(params: Any, x: Any, y: Any) -> Any:
        return (x @ params["w"] + params["b"] - y)[:, 0] ** 2

    train = tuple(points().train)
    task = ravine.Task.from_jax(init, squared, train, name="line", epochs=5, batch_size=8)
    return replace(task, load=points)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without CPUs, and two nodes with one each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": QUICK, **SMALL}
    found = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(2):
            found.add_node(num_cpus=1, **SMALL)
        yield found
    finally:
        for node in [*found.worker_nodes]:  # which have nothing to do any more: no goodbyes
            found.remove_node(node, allow_graceful=False)
        found.shutdown()


@pytest.fixture(scope="module")
def undisturbed(line: ravine.Task, tmp_path_factory: pytest.TempPathFactory) -> list[Curve]:
    """The curves of the same race in this process."""
    folder = tmp_path_factory.mktemp("local") / "race"
    with pytest.MonkeyPatch.context() as patch:
        small(patch)
        patch.setattr(session, "publish_pages", lambda race: None)
        patch.setattr(session.vega, "prepare", lambda: None)
        ravine.race(line, out=folder, workers=0, **RACE)
    return stored(folder)


def small(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(plan, "LANE_BYTES", LANES)
    patch.setattr(plan, "SEGMENT_ROWS", ROWS)


def stored(folder: Path) -> list[Curve]:
    with closing(Store(folder, reading=True)) as store:
        return store.curves()


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])


def test_by_default_a_race_on_ray_is_the_race_here(
    cluster: Any, line: ravine.Task, tmp_path: Path, assert_same: Callable[..., None]
) -> None:
    """Every phase of tuning and every look: what is run next follows from what came out."""
    races = {
        name: ravine.race(line, rules=["adam"], out=tmp_path / name, progress=False, **where)
        for name, where in {"here": {"workers": 0}, "ray": {"ray": cluster.address}}.items()
    }
    assert_same(*(stored(tmp_path / name) for name in races))
    here, there = races.values()
    tried = {c.run.learning_rate for c in here.stored if c.run.rule == "adam"}
    assert tried > set(here.plan.choices.learning_rates["adam"])  # finer rates too
    assert here.verdict.sentence == there.verdict.sentence


def test_nodes_and_workers_go_and_come_and_curves_stay(
    cluster: Any,
    line: ravine.Task,
    undisturbed: list[Curve],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_same: Callable[..., None],
) -> None:
    """Each fault hits a worker that has a segment and cannot end it: its process is stopped."""
    submit, frozen, known, added = RayWorker.submit, [], set(), set()

    def lose_node(worker: RayWorker) -> None:
        assert worker.where is not None
        (node,) = (n for n in cluster.worker_nodes if n.node_id == worker.where.node)
        cluster.remove_node(node, allow_graceful=False)

    def kill_process(worker: RayWorker) -> None:
        assert worker.where is not None
        os.kill(worker.where.process, signal.SIGKILL)

    def kill_actor(worker: RayWorker) -> None:
        assert worker.where is not None
        os.kill(parent(worker.where.process), signal.SIGKILL)

    def add_node(worker: RayWorker) -> None:
        """The others stand still until it works."""
        added.add(cluster.add_node(num_cpus=1, **SMALL).node_id)
        for pid in known:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    faults: dict[int, Callable[[RayWorker], None]] = {
        3: add_node,
        8: lose_node,
        14: kill_process,
        20: kill_actor,
    }
    count = 0

    def faulty(self: RayWorker, name: str, arguments: Mapping[str, Any]) -> None:
        nonlocal count
        assert self.where is not None
        if name == "advance":
            count += 1
            known.add(self.where.process)
        fault = faults.pop(count, None) if name == "advance" else None
        if fault not in (None, add_node):
            frozen.append(self.where.process)
            os.kill(self.where.process, signal.SIGSTOP)
        submit(self, name, arguments)
        if fault is not None:
            fault(self)
        if self.where.node in added:
            added.remove(self.where.node)
            for pid in known:  # one that stood still for too long Ray has ended
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    small(monkeypatch)
    monkeypatch.setattr(RayWorker, "submit", faulty)
    try:
        ravine.race(line, out=tmp_path / "race", ray=cluster.address, **RACE)
    finally:
        for pid in frozen:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGKILL)
    assert not faults
    assert not added, "the new node had no work"
    assert_same(stored(tmp_path / "race"), undisturbed)


def test_a_driver_that_is_killed_goes_on_elsewhere(
    cluster: Any,
    line: ravine.Task,
    undisturbed: list[Curve],
    tmp_path: Path,
    assert_same: Callable[..., None],
) -> None:
    folder, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    (tmp_path / "task").write_bytes(cloudpickle.dumps(line))
    begin, go_on = (
        [sys.executable, "-c", DRIVER, verb, where, cluster.address, tmp_path / "task"]
        for verb, where in (("race", folder), ("resume", elsewhere))
    )
    assert subprocess.run(begin, check=False).returncode == -signal.SIGKILL
    kept = done(folder)
    shutil.copytree(folder, elsewhere)
    shutil.rmtree(folder)
    again = subprocess.run(go_on, capture_output=True, text=True, check=False, timeout=300)
    assert again.returncode == 0, again.stderr
    assert not again.stdout, "Ray's messages are no results"
    assert kept < done(elsewhere)
    assert_same(stored(elsewhere), undisturbed)


def test_an_actor_a_gpu_keeps_its_programs(
    cluster: Any,
    line: ravine.Task,
    undisturbed: list[Curve],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """GPUs that only Ray counts: JAX is told to use the CPU in their place."""
    did, handed, compiled, saw = RayWorker._did, {}, Counter(), {}
    submit = RayWorker.submit

    def giving(self: RayWorker, name: str, arguments: Mapping[str, Any]) -> None:
        assert self.where is not None
        handed[self] = name, arguments.get("program")
        told = Path(f"/proc/{self.where.process}/environ").read_text(encoding="utf-8").split("\0")
        saw[self] = dict(line.partition("=")[::2] for line in told)["CUDA_VISIBLE_DEVICES"]
        submit(self, name, arguments)

    def hearing(self: RayWorker, brought: Any, answer: Any) -> None:
        name, program = handed[self]
        if name == "advance":
            compiled[self, program] += answer.result()[0][1].spent.compiling > LATELY
        did(self, brought, answer)

    small(monkeypatch)
    monkeypatch.setattr(plan, "GPU_LANES", 2)
    monkeypatch.setattr(engines, "PLATFORM", "cpu")
    with monkeypatch.context() as patch:
        patch.setattr(RayWorker, "submit", giving)
        patch.setattr(RayWorker, "_did", hearing)
        with connected(cluster.address, print) as there:
            there.grows = False
            with pytest.raises(InvalidArgument, match="Ray finds no GPU on this machine"):
                there.backend(None, {"folder": str(tmp_path), "engine": engines.GPU})
        node = cluster.add_node(num_cpus=3, num_gpus=2, **SMALL)
        try:
            away = tmp_path / "away"
            raced = ravine.race(line, out=away, ray=cluster.address, device="gpu", **RACE)
        finally:
            cluster.remove_node(node, allow_graceful=False)
    assert raced.plan.facts.engine == engines.GPU
    assert raced.results.machine["gpu"] == "2 × GPU"
    assert raced.results.command.endswith("device='gpu')")
    assert set(saw.values()) <= {"0", "1"}
    assert len(set(saw.values())) == len(saw), "each has one to itself"
    assert set(compiled.values()) <= {0, 1}, "compiled at most once by each"
    for ours, theirs in zip(stored(away), undisturbed, strict=True):
        assert replace(ours.run, id="") == replace(theirs.run, id="")  # segments are longer
        np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-4)
        np.testing.assert_allclose(ours.measures, theirs.measures, rtol=1e-4)
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    grown = ravine.extend(away, ["momentum"], task=line, progress=False)  # on two of this machine
    assert grown.plan.facts.engine == engines.GPU
    assert grown.finished


def test_what_a_post_kept_is_used_only_if_it_is_whole_and_what_the_driver_has(
    cluster: Any,
    line: ravine.Task,
    undisturbed: list[Curve],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_same: Callable[..., None],
) -> None:
    """Four times a post's own checkpoints are spoiled before it goes on from them.

    Where the driver has others by then, as after a run was done again, it sends those and nothing
    is to be repaired; else the worker finds them torn, and the runs are done again.
    """
    submit, repair, work = RayWorker.submit, Scheduler._repair, tmp_path / "race" / "work"
    spoiled, repaired = [], []

    def spoil(self: RayWorker, name: str, arguments: Mapping[str, Any]) -> None:
        kept = (
            self._left.keys() & file_transfer.reads(name, arguments) if name == "advance" else set()
        )
        if kept and len(spoiled) < 4:
            spoiled.append(kept)
            replaced = len(spoiled) % 2
            assert self.where is not None
            posts = Path(tempfile.gettempdir(), f"{PLACE}-{os.getuid()}")
            here = posts / f"{self._backend.opening.race}-{self.where.node[:8]}"
            for file in kept:
                (copy,) = here.glob(f"*/{file}")
                copy.write_bytes(copy.read_bytes()[:-100])
                if replaced:
                    os.utime(work / file)
        submit(self, name, arguments)

    def watched(self: Scheduler, file: str, *rest: Any) -> None:
        repaired.append(file)
        repair(self, file, *rest)

    small(monkeypatch)
    monkeypatch.setattr(RayWorker, "submit", spoil)
    monkeypatch.setattr(Scheduler, "_repair", watched)
    ravine.race(line, out=tmp_path / "race", ray=cluster.address, workers=1, **RACE)
    assert len(spoiled) == 4
    whole, torn = spoiled[0] | spoiled[2], spoiled[1] | spoiled[3]
    assert len(repaired) == 2
    assert set(repaired) <= torn - whole
    assert_same(stored(tmp_path / "race"), undisturbed)


def done(folder: Path) -> int:
    """How many segments are stored."""
    if not (folder / FILE).exists():
        return 0
    with closing(Store(folder, reading=True)) as store:
        return sum(store.segments_done().values())


def test_without_ray_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InvalidArgument, match=r"^--ray needs Ray: pip install 'ravine\[ray\]'$"):
        ravine.race("diabetes-linear", out=tmp_path / "race", ray="auto", **RACE)
    assert not (tmp_path / "race").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no-such-host.invalid:6379"])
def test_where_no_cluster_answers_that_is_said(address: str, tmp_path: Path) -> None:
    with pytest.raises(RavineError, match=f"no Ray cluster answers at '{address}'"):
        ravine.race("diabetes-linear", out=tmp_path / "race", ray=address, **RACE)
    assert not (tmp_path / "race" / "work").exists()


def test_a_node_with_other_versions_is_refused() -> None:
    """Asked in this process: all nodes of a cluster on one machine have what the driver has."""
    held = Opening("race", {}, {}, [], {**versions(), "jax": "0.0.1"})
    with pytest.raises(RavineError, match=r"a node of the cluster has jax .* instead of 0\.0\.1"):
        RayActor().open(held)


def test_the_pages_autoscaling_and_slurm_can_be_read(tmp_path: Path) -> None:
    """By Ray's own validation, against its schema, and by the shell."""
    import yaml
    from ray.autoscaler._private.util import prepare_config, validate_config

    text = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
    (scaling,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (slurm,) = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    config = prepare_config(yaml.safe_load(scaling))
    validate_config(config)
    assert config["available_node_types"]["head"]["resources"]["CPU"] == 0
    subprocess.run(["bash", "-n"], input=slurm, text=True, check=True)
    for command in set(re.findall(r"ravine (\w+) .*--ray", text)):
        assert (
            "--ray" in CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
        )


def test_rays_client_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="run ravine on a node of the cluster"):
        ravine.race("diabetes-linear", out=tmp_path / "race", ray="ray://head:10001", **RACE)
