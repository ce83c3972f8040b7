"""What is printed, and stored: the machine, the ceiling, the result."""

import statistics
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from peers.ceiling import products
from peers.contest import Entrant
from peers.fleet import Fleet, Way
from peers.ours import Ours
from peers.roster import EXPERT
from peers.setting import CORES
from ravine.storage.provenance import machine

PACKAGES = ["jax", "jaxlib", "optax", "keras", "tensorflow_cpu", "tensorflow", "torch", "numpy"]
PACKAGES += ["optuna", "keras-tuner"]


def heading(ours: Ours) -> str:
    """What ran where."""
    folder = Path(__file__).parent

    def git(*command: str) -> str:
        done = subprocess.run(["git", *command], cwd=folder, capture_output=True, text=True)  # noqa: S607, PLW1510 — not a clone: no commit
        return done.stdout.strip()

    versions = [f"{name} {found}" for name, found in _installed().items()]
    commit = git("describe", "--always", "--dirty")
    plan, here = ours.plan, machine()
    return (
        f"{here['processor']}, {len(CORES)} cores; ravine {commit}; {', '.join(versions)}\n"
        f"{plan.steps} steps of {plan.choices.batch_size} a run, "
        f"validation and test loss every {plan.period}"
    )


def _installed() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with suppress(ImportError):
            found[name] = version(name)
    return found


def record(
    command: str, ours: Ours, entrants: list[Entrant], rates: list[list[float]], limit: float
) -> dict[str, Any]:
    """The result for a file: run-steps a second of each, by round, and where they come from."""

    def how_much_faster(taken: list[float]) -> dict[str, float]:
        ratios = [a / b for a, b in zip(rates[0], taken, strict=True)]
        return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}

    return {
        "command": f"python {command}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "versions": _installed(),
        "network": str(ours.setting.subject),
        "steps": ours.plan.steps,
        "evaluated_every": ours.plan.period,
        "ceiling": limit,
        "ours": {
            "lanes": ours.plan.width,
            "median": statistics.median(rates[0]),
            "each": rates[0],
        },
        "peers": [
            {
                "peer": entrant.peer.text,
                "way": entrant.way.text,
                "median": statistics.median(taken),
                "each": taken,
                "ours_is_times": how_much_faster(taken),
                "goal": entrant.peer.goals.get(ours.setting.subject),
            }
            for entrant, taken in zip(entrants, rates[1:], strict=True)
        ],
    }


def ceiling(ours: Ours, console: Console) -> float:
    """Run-steps a second of all cores if nothing but the products and Adam's bytes took time."""
    setting = ours.setting
    seconds: list[Any] = []
    moving = []
    for library in ("torch", "numpy", "jax"):
        fleet = Fleet(Way(library, "ceiling", {"library": library}, {}), setting)
        _, found = fleet.train(range(len(CORES)))  # on all cores at once, as in a race
        fleet.close()
        results: list[Any] = list(found.values())
        seconds.append(np.mean([times for times, _ in results], axis=0))
        moving.append(statistics.mean(moved for _, moved in results))
    wanted = products(setting)
    fastest = np.min(seconds, axis=0)
    for part, held_out in (("training", False), ("evaluation", True)):
        mine = [i for i, p in enumerate(wanted) if (p.name == "held out") == held_out]
        work = sum(wanted[i].operations * wanted[i].often for i in mine)
        took = [sum(s[i] * wanted[i].often for i in mine) for s in (*seconds, fastest)]
        each = ", ".join(f"{work / t / 1e9:.0f}" for t in took)
        console.print(
            f"{part}: {work / 1e6:.2f} MFLOP a step, {took[-1] * 1e6:.1f} µs at the best of each; "
            f"torch, numpy, jax, best: {each} GFLOP/s a core",
            highlight=False,
        )
    products_take = sum(s * p.often for s, p in zip(fastest, wanted, strict=True))
    console.print(f"Adam's bytes: {min(moving) * 1e6:.1f} µs a step", highlight=False)
    return len(CORES) / float(products_take + min(moving))


def table(
    ours: Ours, entrants: list[Entrant], rates: list[list[float]], limit: float
) -> tuple[Table, bool]:
    """The result, and whether every goal was reached."""
    subject, steps = ours.setting.subject, ours.plan.steps
    shown = Table(title=f"Adam on {subject}, {len(rates[0])} rounds")
    for name in ("", "how", "run-steps/s", "range", "ours is x", "range ", "goal", "a trial more"):
        shown.add_column(name, justify="left" if name in ("", "how") else "right")

    def line(text: str, how: str, taken: list[float], *rest: str) -> None:
        middle, spread = statistics.median(taken), f"{min(taken):,.0f}-{max(taken):,.0f}"
        shown.add_row(text, how, f"{middle:,.0f}", spread, *rest)

    line("ravine", f"pinned, {ours.plan.width} lanes", rates[0])
    fine = True
    expert = next((i for i, e in enumerate(entrants, 1) if e.peer.text == EXPERT), None)
    for (peer, way, _), taken in zip(entrants, rates[1:], strict=True):
        ratios = [a / b for a, b in zip(rates[0], taken, strict=True)]
        ratio, spread = statistics.median(ratios), f"{min(ratios):.2f}-{max(ratios):.2f}"
        goal = peer.goals.get(subject)
        met = goal is None or ratio >= goal
        fine = fine and met
        said = "" if goal is None else f"[{'green' if met else 'red'}]{goal:g}"
        extra = ""
        if way.family == "search" and expert is not None:
            pairs = zip(taken, rates[expert], strict=True)
            more = statistics.median(1 / a - 1 / b for a, b in pairs) * steps * len(CORES)
            extra = f"{more * 1e3:.1f} ms"
        line(peer.text, way.text, taken, f"{ratio:.2f}", spread, said, extra)
    shown.caption = f"ravine reaches {statistics.median(rates[0]) / limit:.0%} of the ceiling"
    shown.caption += f", {limit:,.0f} run-steps/s"
    return shown, fine
