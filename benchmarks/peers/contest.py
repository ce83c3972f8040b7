"""Who takes part: whose curves are ours, each by its fastest way; and the rounds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from rich.console import Console

from peers.fleet import Fleet, Way
from peers.ours import Ours
from peers.roster import Peer
from peers.setting import Curve


class Entrant(NamedTuple):
    """A peer with the fastest of its ways, made ready."""

    peer: Peer
    way: Way
    fleet: Fleet


def agree(curves: Mapping[int, Curve], ours: Mapping[int, Curve], period: int) -> float:
    """Check that everybody trains the same; the largest relative difference in the first steps.

    Roundings are all that may differ. Optax and Keras take 1 - 0.999^t in float32 (5e-5 off at
    t = 1), and a rounding that turns a ReLU over grows from there on; so what is known of the
    first steps must agree closely, and the ends only in the mean over the runs.
    """
    early = []
    for seed, curve in curves.items():
        expected = ours[seed]
        assert curve.measures.shape == expected.measures.shape
        if period <= 20:
            early.append((curve.measures[:2], expected.measures[:2]))
        if curve.losses is not None:
            early.append((curve.losses[:20], expected.losses[:20]))
    off = max((float(np.max(np.abs(a / b - 1))) for a, b in early), default=np.nan)
    assert not early or off < 3e-4, f"the first steps differ by {off:.1e}"
    last, known = (np.mean([c[s].measures[-1] for s in curves], 0) for c in (curves, ours))
    assert np.allclose(last, known, rtol=0.05), f"the ends differ: {last} and {known}"
    return off


def enter(peer: Peer, engines: Sequence[Ours], runs: int, console: Console) -> Entrant | None:
    """Try the ways of a peer; keep the fastest one's processes.

    ``engines``: what is timed; where that has dropout, the same without. Dropout draws other masks
    in other frameworks: only those that draw Keras's on JAX can be compared with it too.
    """
    kept: Entrant | None = None
    fastest, (ours, *without) = 0.0, engines
    for way in peer.ways:
        try:
            off = [_compared(way, engine) for engine in without]
            fleet = Fleet(way, ours.setting)
        except RuntimeError as error:  # not installed, or a setting that this version lacks
            console.print(f"[red]{peer.text}, {way.text}: {str(error).splitlines()[-1]}")
            continue
        seeds = fleet.seeds(runs)
        _, curves = fleet.train(seeds)
        if way.same_masks or not without:
            off.append(agree(curves, ours.train(seeds)[1], ours.plan.period))
        rate = 0.0
        for _ in range(2 if len(peer.ways) > 1 else 1):
            rate = max(rate, len(seeds) * ours.plan.steps / fleet.train(seeds)[0])
        said = ", ".join("ends alone" if np.isnan(each) else f"{each:.0e}" for each in off)
        note = f"curves agree to {said}, {rate:,.0f} run-steps/s"
        console.print(f"[dim]{peer.text}, {way.text}: {note}", highlight=False)
        if rate < fastest:
            fleet.close()
            continue
        if kept is not None:
            kept.fleet.close()
        kept, fastest = Entrant(peer, way, fleet), rate
    return kept


def _compared(way: Way, ours: Ours) -> float:
    fleet = Fleet(way, ours.setting)
    try:
        seeds = range(2 * len(fleet))
        return agree(fleet.train(seeds)[1], ours.train(seeds)[1], ours.plan.period)
    finally:
        fleet.close()


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
