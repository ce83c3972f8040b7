"""How many training steps a second: the engine of a race, and what else could be used instead.

python benchmarks/engine.py [--task digits-mlp|digits-cnn] [--width 64|256] [--rounds 5] [--quick]
    [--only expert,torch] [--store FILE]

Everyone trains the task's network by Adam from the same weights on the same batches in float32,
evaluates it on validation and test data as often, and has all cores. What is counted is run-steps
a second, warm: processes up, programs compiled. First each peer's curves have to be ours, of a
network with dropout once more without it; then its ways are tried and the fastest is kept, then all
are timed in turn, round by round. "ours is x" is taken within each round. ``--width`` is of the
dense network. ``--period 990`` evaluates once a run, as facts measured elsewhere without
evaluations have it; ``--lanes`` overrides the lanes that the plan chose. ``--store`` writes what
was found as JSON.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

from peers.contest import contest, enter
from peers.ours import Ours
from peers.roster import PEERS, roster
from peers.scoreboard import ceiling, heading, record, table
from peers.setting import CORES, Subject
from rich.console import Console

# In a repetition of the fast ones: a second or three.
RUNS = {Subject("digits-mlp", 64): 64, Subject("digits-mlp", 256): 16, Subject("digits-cnn"): 16}
DROPOUT = ["digits-cnn"]


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = list(dict.fromkeys(subject.task for subject in RUNS))
    parser.add_argument("--task", default=tasks[0], choices=tasks)
    parser.add_argument("--width", type=int, help="of the dense network: 64, as it is, or 256")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, help="in a repetition of the fast ones")
    parser.add_argument("--period", type=int, help="steps between evaluations")
    parser.add_argument("--lanes", type=int, help="of ours")
    parser.add_argument("--only", help="peers, by name: " + ", ".join(PEERS))
    parser.add_argument("--quick", action="store_true", help="200 steps, few runs, first ways")
    parser.add_argument("--store", type=Path, help="a file for what was found, as JSON")
    given = parser.parse_args()
    width = given.width or (64 if given.task == "digits-mlp" else 0)
    given.subject = Subject(given.task, width)
    if given.subject not in RUNS:
        parser.error(f"{given.subject}: there is {', '.join(f'[{s}]' for s in RUNS)}")
    return given


def main() -> None:
    """Check, choose, time, print. Exit code 1 where a goal is missed."""
    given = arguments()
    console = Console(width=None if Console().is_terminal else 150)
    subject, rounds = given.subject, 2 if given.quick else given.rounds
    runs = given.runs or RUNS[subject] // (2 if given.quick else 1)
    count, steps = max(runs, 32 * len(CORES)), 200 if given.quick else None
    ours = Ours(subject, count, given.period, steps, given.lanes)
    engines, entrants = [ours], []
    try:
        if given.task in DROPOUT:
            without = subject._replace(dropout=False)
            engines.append(Ours(without, count, given.period, steps, given.lanes))
        console.print(heading(ours), highlight=False)
        peers = roster(subject, ours.plan.period)
        for name in given.only.split(",") if given.only else peers:
            peer = peers[name]
            ways = peer.ways[:1] if given.quick else peer.ways
            entrant = enter(peer._replace(ways=ways), engines, runs, console)
            if entrant is not None:
                entrants.append(entrant)
        limit = ceiling(ours, console)
        rates = contest(ours, entrants, runs, rounds)
        shown, fine = table(ours, entrants, rates, limit)
        console.print(shown)
        if given.store:
            found = record(shlex.join(sys.argv), ours, entrants, rates, limit)
            given.store.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    finally:
        for entrant in entrants:
            entrant.fleet.close()
        for engine in engines:
            engine.close()
    raise SystemExit(not fine)


if __name__ == "__main__":
    main()
