"""The size of a race, before it runs: measured, fitted to a budget, refused where absurd."""

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ravine.errors import InvalidArgument, RavineError
from ravine.execution.scheduler import Scheduler
from ravine.execution.worker_backend import Place
from ravine.experiment import budget
from ravine.experiment.cost import Cost, estimate
from ravine.experiment.durations import said_bytes, said_seconds
from ravine.experiment.engines import device
from ravine.experiment.plan import Plan
from ravine.rules.update_rule import Rule

LONGEST = 30 * 86400.0  # seconds: what takes longer was not meant
RATE = 2e10  # operations a second of one core, about
CALL = 1e-5  # seconds that a step takes at least, about
FASTER = {"cpu": 10, "gpu": 10_000}  # times as fast as the rule of thumb a device may be
ARRAYS = 4  # weights, gradients, two memories: what training holds of each parameter at least


def sized(
    plan: Plan,
    rules: Mapping[str, Rule],
    driver: Scheduler,
    folder: Path,
    seconds: float | None,
    pairs: Callable[[int], int],
) -> tuple[Plan, Cost | None]:
    """The plan that is to be run, and what it costs here, where that could be tried.

    ``seconds``: the budget; ``pairs``: see ``budget.fitted``. Raises ``InvalidArgument`` for a race
    that is too large for this machine, as soon as that is clear.
    """
    thumb = by_rule_of_thumb(plan, driver.workers)
    fit = plan
    if seconds is not None:  # which says whether there is any hope
        fit = budget.fitted(plan, rules, thumb, seconds, pairs=pairs)
    check(fit, thumb, folder, driver.place, "at least")
    cost = driver.rehearse(plan)
    if cost is None:
        if seconds is not None:
            raise RavineError("what fits the budget is not known: timing it ended a worker")
        return plan, None  # the race itself says what is wrong with it
    if seconds is not None:
        spent = driver.profile.elapsed
        plan = budget.fitted(plan, rules, cost, seconds, pairs=pairs, spent=spent)
    check(plan, cost, folder, driver.place)
    return plan, cost


def by_rule_of_thumb(plan: Plan, workers: int) -> Cost:
    """What a race costs at the very least."""
    step = plan.width * max(CALL, plan.operations / RATE) / FASTER[device(plan.facts.engine)]
    rows = plan.segment * plan.period * plan.choices.batch_size
    weights, batches = (4.0 * plan.width * n for n in (ARRAYS * plan.facts.parameters, rows))
    seconds = dict.fromkeys(("around", "drawing", "tracing", "compiling", "pacing"), 0.0)
    held = {"grown_bytes": weights, "keras_bytes": batches, "driver_bytes": 0.0}
    return Cost(workers=workers, step=step, worker_bytes=weights + batches, **seconds, **held)


def check(plan: Plan, cost: Cost, folder: Path, place: Place, about: str = "about") -> None:
    """Raises ``InvalidArgument`` for a race that cannot be done there, or not within a month."""
    takes, there = estimate(plan, cost), place.memory
    lower = "tuning_seeds, eval_seeds or the number of learning rates"
    runs = f"{plan.count:,} runs of {plan.steps:,} steps"
    one, workers = cost.grown_bytes or cost.worker_bytes, cost.workers
    if not cost.step or workers * one > there:
        raise InvalidArgument(
            f"this race would need {about} {said_bytes(workers * one)} of memory, and "
            f"{place.called} has {said_bytes(there)}: "
            f"{workers} worker{'s' if workers > 1 else ''} with "
            f"{plan.width} run{'s' if plan.width > 1 else ''} at a time of "
            f"{plan.facts.parameters:,} parameters. Lower {'workers, ' if workers > 1 else ''}"
            "batch_size or the size of the model"
        )
    if takes.seconds > LONGEST or takes.memory > there:
        raise InvalidArgument(
            f"this race would take {about} {said_seconds(takes.seconds)} and "
            f"{said_bytes(takes.memory)} of memory, of which {place.called} has "
            f"{said_bytes(there)}: {runs}. Lower epochs, {lower}, or give a budget, such as 2h, "
            "to have them fitted"
        )
    if takes.disk > (free := _free(folder)):
        raise InvalidArgument(
            f"this race would write {about} {said_bytes(takes.disk)}, and there are "
            f"{said_bytes(free)} left where '{folder}' is: {runs}. Lower {lower}"
        )


def _free(folder: Path) -> float:
    """Bytes left where a folder is, or is going to be."""
    there = next((p for p in (folder.resolve(), *folder.resolve().parents) if p.exists()), None)
    with suppress(OSError):
        return float(shutil.disk_usage(there or ".").free)
    return float("inf")
