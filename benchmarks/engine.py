"""How many training steps a second: the engine of a race, and what else could be used instead.

python benchmarks/engine.py [--width 64|256] [--rounds 5] [--quick] [--only expert,torch]

Everyone trains the network of digits-mlp by Adam from the same weights on the same batches in
float32, evaluates it on validation and test data as often, and has all cores. What is counted is
run-steps a second, warm: processes up, programs compiled. First each peer's curves have to be
ours, then its ways are tried and the fastest is kept, then all are timed in turn, round by round.
"ours is x" is taken within each round. ``--period 990`` evaluates once a run, as facts measured
elsewhere without evaluations have it; ``--lanes`` overrides the lanes that the plan chose.
"""

import argparse
import statistics
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from peers.ceiling import products
from peers.fleet import Fleet, Way
from peers.ours import Ours
from peers.roster import Peer, roster
from peers.setting import CORES, Curve
from rich.console import Console
from rich.table import Table

from ravine.racing.provenance import machine

RUNS = {64: 64, 256: 16}  # a repetition of the fast ones: a second or three
PACKAGES = ["jax", "jaxlib", "optax", "keras", "tensorflow_cpu", "tensorflow", "torch", "numpy"]
PACKAGES += ["optuna", "keras-tuner"]


class Entrant(NamedTuple):
    """A peer with the fastest of its ways, made ready."""

    peer: Peer
    way: Way
    fleet: Fleet


def agree(curves: Mapping[int, Curve], ours: Mapping[int, Curve]) -> float:
    """Check that everybody trains the same; the largest relative difference in the first steps.

    Roundings are all that may differ. Optax and Keras take 1 - 0.999^t in float32 (5e-5 off at
    t = 1), and a rounding that turns a ReLU over grows from there on; so the first two
    evaluations must agree closely, and the last ones only in the mean over the runs.
    """
    early = 0.0
    for seed, curve in curves.items():
        expected = ours[seed]
        assert curve.measures.shape == expected.measures.shape
        pairs = [(curve.measures[:2], expected.measures[:2])]
        if curve.losses is not None:
            pairs.append((curve.losses[:20], expected.losses[:20]))
        for found, known in pairs:
            early = max(early, float(np.max(np.abs(found / known - 1))))
    assert early < 3e-4, f"the first steps differ by {early:.1e}"
    last, known = (np.mean([c[s].measures[-1] for s in curves], 0) for c in (curves, ours))
    assert np.allclose(last, known, rtol=0.05), f"the ends differ: {last} and {known}"
    return early


def enter(peer: Peer, ours: Ours, runs: int, console: Console) -> Entrant | None:
    """Try the ways of a peer; keep the fastest one's processes."""
    kept: Entrant | None = None
    fastest = 0.0
    for way in peer.ways:
        try:
            fleet = Fleet(way, ours.setting)
        except RuntimeError as error:  # not installed, or a setting that this version lacks
            console.print(f"[red]{peer.text}, {way.text}: {str(error).splitlines()[-1]}")
            continue
        seeds = fleet.seeds(runs)
        _, curves = fleet.train(seeds)
        off = agree(curves, ours.train(seeds)[1])
        rate = 0.0
        for _ in range(2 if len(peer.ways) > 1 else 1):
            rate = max(rate, len(seeds) * ours.plan.steps / fleet.train(seeds)[0])
        note = f"curves agree to {off:.0e}, {rate:,.0f} run-steps/s"
        console.print(f"[dim]{peer.text}, {way.text}: {note}", highlight=False)
        if rate < fastest:
            fleet.close()
            continue
        if kept is not None:
            kept.fleet.close()
        kept, fastest = Entrant(peer, way, fleet), rate
    return kept


def contest(ours: Ours, entrants: list[Entrant], runs: int, rounds: int) -> list[list[float]]:
    """Run-steps a second of ours and of each entrant, by round; each round begins elsewhere."""
    racers: list[Ours | Fleet] = [ours, *(entrant.fleet for entrant in entrants)]
    rates: list[list[float]] = [[] for _ in racers]
    for i in range(rounds):
        for k in [(i + j) % len(racers) for j in range(len(racers))]:
            racer = racers[k]
            seeds = racer.seeds(runs) if isinstance(racer, Fleet) else range(runs)
            rates[k].append(len(seeds) * ours.plan.steps / racer.train(seeds)[0])
    return rates


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
    width, steps = ours.setting.width, ours.plan.steps
    shown = Table(title=f"Adam on digits-mlp, width {width}, {len(rates[0])} rounds")
    for name in ("", "how", "run-steps/s", "range", "ours is x", "range ", "goal", "a trial more"):
        shown.add_column(name, justify="left" if name in ("", "how") else "right")

    def line(text: str, how: str, taken: list[float], *rest: str) -> None:
        middle, spread = statistics.median(taken), f"{min(taken):,.0f}-{max(taken):,.0f}"
        shown.add_row(text, how, f"{middle:,.0f}", spread, *rest)

    line("ravine", f"pinned, {ours.plan.width} lanes", rates[0])
    fine = True
    expert = next((i for i, e in enumerate(entrants, 1) if e.way.family == "jax_scan"), None)
    for (peer, way, _), taken in zip(entrants, rates[1:], strict=True):
        ratios = [a / b for a, b in zip(rates[0], taken, strict=True)]
        ratio, spread = statistics.median(ratios), f"{min(ratios):.2f}-{max(ratios):.2f}"
        goal = peer.goals.get(width)
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


def heading(ours: Ours) -> str:
    """What ran where."""
    folder = Path(__file__).parent

    def git(*command: str) -> str:
        done = subprocess.run(["git", *command], cwd=folder, capture_output=True, text=True)  # noqa: S607, PLW1510 — not a clone: no commit
        return done.stdout.strip()

    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except ImportError:
            continue
    commit = git("describe", "--always", "--dirty")
    plan, here = ours.plan, machine()
    return (
        f"{here['processor']}, {len(CORES)} cores; ravine {commit}; {', '.join(versions)}\n"
        f"{plan.steps} steps of {plan.choices.batch_size} a run, "
        f"validation and test loss every {plan.period}"
    )


def main() -> None:
    """Check, choose, time, print. Exit code 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=64, choices=sorted(RUNS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, help="in a repetition of the fast ones")
    parser.add_argument("--period", type=int, help="steps between evaluations")
    parser.add_argument("--lanes", type=int, help="of ours")
    parser.add_argument("--only", help="peers, by name: " + ", ".join(roster(10)))
    parser.add_argument("--quick", action="store_true", help="200 steps, few runs, first ways")
    given = parser.parse_args()
    console = Console(width=None if Console().is_terminal else 150)
    runs = given.runs or RUNS[given.width] // (2 if given.quick else 1)
    rounds = 2 if given.quick else given.rounds
    evaluations = 20 if given.quick else None
    ours = Ours(given.width, max(runs, 32 * len(CORES)), given.period, evaluations, given.lanes)
    console.print(heading(ours), highlight=False)
    peers = roster(ours.plan.period)
    chosen = given.only.split(",") if given.only else list(peers)
    entrants = []
    try:
        for name in chosen:
            peer = peers[name]
            ways = peer.ways[:1] if given.quick else peer.ways
            if (entrant := enter(peer._replace(ways=ways), ours, runs, console)) is not None:
                entrants.append(entrant)
        limit = ceiling(ours, console)
        shown, fine = table(ours, entrants, contest(ours, entrants, runs, rounds), limit)
        console.print(shown)
    finally:
        for entrant in entrants:
            entrant.fleet.close()
        ours.close()
    raise SystemExit(not fine)


if __name__ == "__main__":
    main()
