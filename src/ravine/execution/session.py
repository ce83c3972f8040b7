"""Running what is left of a race, and publishing it."""

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    closing,
    contextmanager,
    nullcontext,
    suppress,
)
from pathlib import Path
from threading import Thread
from typing import Any

from ravine.errors import InvalidArgument, RavineError
from ravine.execution import best_model_file
from ravine.execution.cost_probe import published
from ravine.execution.gpu_backend import GpuBackend
from ravine.execution.in_process import InProcess
from ravine.execution.pool import Pool
from ravine.execution.ray_backend import Cluster, connected
from ravine.execution.ray_backend import check as check_ray
from ravine.execution.roles import RaceProtocol
from ravine.execution.scheduler import Scheduler
from ravine.execution.worker_backend import Local, WorkerBackend
from ravine.experiment.cost import Cost
from ravine.experiment.curve import Curve
from ravine.experiment.engines import EngineChange, device, framework, on_device
from ravine.experiment.plan import Plan
from ravine.frameworks.names import CALLED
from ravine.frameworks.spelling import is_spelled
from ravine.reporting import vega
from ravine.reporting.live.display import Display
from ravine.results.race import Race, publish_pages
from ravine.rules.update_rule import Rule
from ravine.storage import payload
from ravine.storage.files import tidy
from ravine.storage.payload import Payload
from ravine.storage.race_dir import using
from ravine.storage.store import COST, FILE, WORK, Store
from ravine.storage.work_files import discard_programs
from ravine.tasks import TASKS
from ravine.tasks.task import Task


def run_session(
    folder: Path,
    task: Task,
    rules: Mapping[str, Rule],
    workers: int | None,
    ray: str | None,
    display: Display,
    start: Callable[[Scheduler], Store],
    course: RaceProtocol,
    announce: Callable[[Plan, Sequence[Curve]], None] | None = None,
    then: Callable[[Plan, Store, Mapping[str, str]], None] | None = None,
    engine: str | None = None,
) -> None:
    """Run what the course says is due, and publish. For whoever holds the folder's lock.

    ``announce`` tells the display what is to come, of the plan and what is stored of it; ``then``
    does what comes after the runs, of the plan, the store and what a worker is opened with.
    ``engine``: of a new race, if not the task's own.
    """
    work = folder / WORK
    with using(folder):
        work.mkdir(exist_ok=True)
        discard_programs(work)
    packed = payload.pack(work, Payload(task, rules))
    workbench = {"folder": str(work), "digest": packed}
    for note in task.notes:
        display.trouble(note)
    with display, _beside(vega.prepare), _cluster(ray, display) as cluster, ExitStack() as pools:

        def opened(engine: str) -> Scheduler:
            pools.callback(tidy, work)  # of what workers were writing, once they are gone
            bench = {**workbench, "engine": engine}
            backend = here(workers, bench) if cluster is None else cluster.backend(workers, bench)
            return Scheduler(pools.enter_context(Pool(backend)), rules, display, folder, packed)

        engine = _engine(folder, engine or task.engine)
        driver = opened(engine)
        try:
            store = start(driver)
        except EngineChange as move:
            on_device(move.engine, device(engine))
            pools.close()
            display.trouble(_natively(move))
            driver = opened(move.engine)
            store = start(driver)
        try:
            with closing(store):
                try:
                    store.sign(packed)
                    display.measured(_cost(store, driver))
                    (announce or display.planned)(store.plan, store.curves())
                    driver.run(store.plan, store, course)
                    if then is not None:
                        then(store.plan, store, workbench)
                    display.publishing()
                    if note := best_model_file.kept(Race(folder).results, folder, driver, store):
                        display.trouble(note)
                finally:
                    kept, planned = len(store.curves()), store.plan.count
                    signed = store.payload() is not None
            began = time.monotonic()
            publish_pages(Race(folder))
            published(time.monotonic() - began)
            display.profiled(driver.profile)
        except (KeyboardInterrupt, RavineError) as stop:
            way = f"ravine resume {shlex.quote(str(folder))}" + (f" --ray {ray}" if ray else "")
            own = not all(map(is_spelled, rules)) or task.name not in TASKS
            if own and not signed:
                way = f"ravine.resume({str(folder)!r}, …), naming your own rules and task again"
            stop.add_note(f"{kept} of {planned} runs are kept in '{folder}'; go on with: {way}")
            raise


def here(workers: int | None, workbench: Mapping[str, Any]) -> WorkerBackend:
    """The workers of this machine for an engine; of none, this process does the work itself."""
    if workers == 0:
        return InProcess(workbench)
    backend = GpuBackend if device(workbench["engine"]) == "gpu" else Local
    return backend(workers, workbench)


def _cluster(ray: str | None, display: Display) -> AbstractContextManager[Cluster | None]:
    return nullcontext() if ray is None else connected(ray, display.trouble)


def _engine(folder: Path, engine: str) -> str:
    """What trains the task: of a race that is there, on the device that has trained it so far.

    That the task needs another engine is for the task to show, never for a folder to say.
    """
    if (folder / FILE).exists():
        return on_device(engine, device(Race(folder).plan.facts.engine))
    return engine


def _natively(move: EngineChange) -> str:
    name = CALLED[framework(move.engine)]
    return (
        f"{move}. So this race goes on in {name} itself, run after run, which takes longer than "
        "compiled lanes; the estimate says how long"
    )


def _cost(store: Store, driver: Scheduler) -> Cost | None:
    """What the race was found to cost, when it was planned."""
    known = store.read_meta(COST)
    return Cost(**known)._replace(workers=driver.workers) if known else None


@contextmanager
def _beside(work: Callable[[], None]) -> Iterator[None]:
    """Do something else meanwhile; if it fails, that shows where its result is needed."""

    def quietly() -> None:
        with suppress(Exception):
            work()

    thread = Thread(target=quietly)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def check_workers(workers: int | None, ray: str | None = None) -> None:
    """Raises ``InvalidArgument`` unless that many workers can be, on a cluster if one is named."""
    check_ray(ray)
    if workers is None:
        return
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 0:
        raise InvalidArgument(
            f"workers={workers!r} is not allowed: give a whole number, 0 for no process but this"
        )
    if workers == 0 and ray is not None:
        raise InvalidArgument(
            "workers=0 is this process alone: leave it out to race on a Ray cluster"
        )
