"""What a race costs: seconds by runs and by parameters, memory by runs.

python benchmarks/scaling.py [--repeats 3] [--quick] [--out docs]; writes cost.md and cost.svg.

Everything is warm: each size is compiled, or a race like it run, before it is measured. The
training alone goes through the pool and its programs; a race is ``ravine.race`` in a process of its
own, from command to report. Medians of the repeats.
"""

import argparse
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from cost.engine import Series, of_parameters, of_runs
from cost.picture import picture
from cost.races import FEWEST, SHORT, Footprint, race
from peers.setting import CORES

from ravine.reporting import charts
from ravine.storage.provenance import machine, versions

RUNS = (1, 10, 100, 1000)
RACES = (FEWEST, 100, 1000)
SHORT_RACES = (100, 1000, 10_000)
WIDTHS = (64, 128, 256, 512, 1024, 2048, 3072)
HERE = Path(__file__).parents[1]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line through them, both logarithmic: 1 is linear."""
    xs, ys = ([math.log(p[i]) for p in points] for i in (0, 1))
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    rise = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True))
    return rise / sum((a - x) ** 2 for a in xs)


def raced(task: str, counts: Sequence[int], repeats: int) -> list[list[Footprint]]:
    """By count, its repeats; the largest once before: all is compiled then, the lanes are timed."""
    race(task, counts[-1])
    found = [[race(task, count)] for count in counts]
    for _ in range(repeats - 1):
        for mine, count in zip(found, counts, strict=True):
            mine.append(race(task, count))
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown, numbers to the right."""
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def by_runs(alone: Sequence[Series], races: Sequence[Sequence[Footprint]]) -> str:
    """The section on runs."""
    whole = {mine[0].runs: median(r.seconds for r in mine) for mine in races}
    rows = [
        [
            f"{s.size:,.0f}",
            number(s.middle),
            number(1e3 * s.middle / s.size),
            number(whole[int(s.size)]) if s.size in whole else "",
        ]
        for s in alone
    ]
    few, many = sorted(whole)[-2:]
    each = (whole[many] - whole[few]) / (many - few)
    lanes = alone[0].lanes
    past = slope([(s.size, s.middle) for s in alone[-2:]])
    return f"""## By runs

Runs of `digits-mlp`, 990 steps each, evaluated 99 times. The training alone is Adam on the engine's
pool and programs, compiled before; a whole race is from command to report, of gradient descent at
one learning rate.

{table(["runs", "training alone, s", "a run, ms", "whole race, s"], rows)}

- From {alone[-2].size:,.0f} to {alone[-1].size:,.0f} runs the training alone has a slope of
  {past:.2f} (1 is linear). One run leaves cores idle, and lanes: a program has {lanes}.
- A race takes {number(whole[few] - few * each)} s whatever its runs, for its workers, the model,
  tracing, programs from the cache and the report, and then {number(1e3 * each)} ms a run. The
  shortest that there is, of {min(whole)} runs, took {number(whole[min(whole)])} s.
"""


def by_parameters(steps: Sequence[Series]) -> str:
    """The section on parameters."""
    rows = [
        [f"{s.size:,.0f}", f"{s.lanes}", number(1e3 * s.middle), number(1e9 * s.middle / s.size)]
        for s in steps
    ]
    large = [(s.size, s.middle) for s in steps if s.size >= 8e4]
    everywhere = slope([(s.size, s.middle) for s in steps])
    return f"""## By parameters

Dense networks as `digits-mlp`, their two hidden layers from {WIDTHS[0]} to {WIDTHS[-1]} units wide,
batches of 32, evaluated on 719 rows every tenth step; fewer steps for the large ones. Time of one
core, with all cores at work.

{table(["parameters", "lanes", "a step, ms", "a parameter, ns"], rows)}

From {large[0][0]:,.0f} parameters up the slope is {slope(large):.2f}, over all sizes
{everywhere:.2f} (1 is linear).
"""


def by_memory(races: Sequence[Sequence[Footprint]]) -> str:
    """The section on memory."""
    rows = [
        [
            f"{mine[0].runs:,}",
            number(median(r.seconds for r in mine)),
            number(max(r.driver for r in mine)),
            number(max(r.workers[0] for r in mine)),
            number(max(max(r.workers[1:], default=0.0) for r in mine)),
        ]
        for mine in races
    ]
    ends = [(mine[0].runs, median(r.seconds for r in mine)) for mine in races[-2:]]
    head = ["runs", "a race, s", "driver, MB", "worker with Keras, MB", "other workers, MB"]
    return f"""## Memory

Peak resident memory in races of short runs: one layer of 650 parameters, 40 steps. The driver's
includes drawing the report.

{table(head, rows)}

From {races[-2][0].runs:,} to {races[-1][0].runs:,} such runs a race's seconds have a slope of
{slope(ends):.2f}, what does not depend on the runs included.
"""


def main() -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    parser.add_argument("--out", type=Path, default=HERE / "docs")
    given = parser.parse_args()
    cut = -1 if given.quick else None
    alone = of_runs(RUNS[:cut], given.repeats)
    print(*alone, sep="\n", flush=True)
    steps = []
    for width in WIDTHS[: -2 if given.quick else None]:
        steps.append(of_parameters(width, given.repeats))
        print(steps[-1], flush=True)
    races = raced("digits-mlp", RACES[:cut], given.repeats)
    print(*races, sep="\n", flush=True)
    short = raced(SHORT, SHORT_RACES[:cut], given.repeats)
    print(*short, sep="\n", flush=True)
    here, used = machine(), versions()
    place = f"{here['processor']}, {len(CORES)} cores"
    software = ", ".join(f"{name} {used[name]}" for name in ("ravine", "jax", "keras", "python"))
    chart = picture(
        {
            "whole race": [(m[0].runs, [r.seconds for r in m]) for m in races],
            "training alone": [(s.size, s.seconds) for s in alone],
        },
        {"": [(s.size, [1e3 * each for each in s.seconds]) for s in steps]},
        f"{place}; medians and ranges of {given.repeats}; dotted: linear",
    )
    charts.save(chart, given.out / "cost.svg")
    text = f"""# What a race costs

![Seconds by runs, milliseconds a step by parameters, both axes logarithmic](cost.svg)

{place}, {here["system"]}; {software}; {datetime.now(UTC):%B %Y}.
Medians of {given.repeats}, everything warm. `python benchmarks/scaling.py` makes this page again.

{by_runs(alone, races)}
{by_parameters(steps)}
{by_memory(short)}"""
    (given.out / "cost.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
