"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Rules = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="Rules, such as 'sgd,adam(beta_1=0.8),decay(momentum)'. Default: the first that "
        "`ravine rules` lists. The reference, by default gradient descent, always takes part.",
    ),
]
TuningSeeds = Annotated[int, typer.Option(metavar="N", help="Seeds to tune on.")]
EvalSeeds = Annotated[int, typer.Option(metavar="N", help="Other seeds, to judge on.")]
Epochs = Annotated[
    int | None, typer.Option(metavar="N", help="How long to train. Default: the task's.")
]
Schedule = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Of every rule's learning rate: constant, linear, cosine, exponential, inverse or "
        "step; with options as in 'cosine(warmup=0.05)'.",
    ),
]
EarlyStopping = Annotated[
    bool,
    typer.Option(
        help="End tuning runs at an eighth, a quarter or half of their steps where their "
        "learning rate can no longer be chosen."
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Worker processes, 0 for none but this one. Default: one a core."
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Race on a Ray cluster: auto for the one that is running, local for one started for "
        "this race, or HOST:PORT. Needs pip install 'ravine[ray]'.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What to train on: cpu, a worker a core, or gpu, a worker a GPU.",
    ),
]
OwnTask = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="FILE.py:NAME",
        help="Of a finished race on a task of your own: where it is made, as it was raced.",
    ),
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a race.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON, as in verdict.json, instead of a table.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show no progress; of a race print the verdict alone.")
]
