"""Commands that gather evidence: published runs repeated, several tasks at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ravine.cli.exits import exit_codes
from ravine.cli.options import (
    Device,
    EarlyStopping,
    Epochs,
    EvalSeeds,
    Folder,
    OwnTask,
    Quiet,
    Ray,
    Rules,
    Schedule,
    TuningSeeds,
    Workers,
)
from ravine.errors import RavineError

if TYPE_CHECKING:
    from ravine.results.suite import Suite

VALIDATE_EXAMPLES = """**Examples**

- `ravine validate`

- `ravine validate --json > validation.json`

- `ravine validate --no-retuning`: a little faster
"""
CROSSCHECK_EXAMPLES = """**Examples**

- `ravine crosscheck my-race --in tensorflow`

- `ravine crosscheck my-race --in torch --seeds 5`
"""
SUITE_EXAMPLES = """**Examples**

- `ravine suite`: all rules on all tasks that need no download; minutes

- `ravine suite --tasks diabetes-linear,quadratic-deep --rules sgd,adagrad,adam --out my-suite`

- the same actions, or `ravine resume my-suite`, after Ctrl-C
"""


def validate(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    retuning: Annotated[
        bool, typer.Option(help="Also tune anew, with every epoch shuffled anew.")
    ] = True,
    workers: Workers = None,
) -> None:
    """Repeat runs that others published, and print theirs beside ours.

    DeepOBS's noisy quadratic bowl, by the programs that race; some 25 s. The exit code is 1 if
    anything disagrees.
    """
    with exit_codes():
        from rich.console import Console

        from ravine.execution.published_runs import validate as run
        from ravine.reporting import validated

        found = run(retune=retuning, workers=workers)
        if as_json:
            typer.echo(found.to_json(), nl=False)
        else:
            validated.show(found.checks, found.seconds, Console())
        if not found.holds:
            failed = sum(not check.holds for check in found.checks)
            raise RavineError(f"{failed} of {len(found.checks)} checks do not hold")


def suite(
    tasks: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Tasks, separated by commas. Default: all that need no download.",
        ),
    ] = None,
    rules: Rules = None,
    tuning_seeds: TuningSeeds = 3,
    eval_seeds: EvalSeeds = 12,
    epochs: Epochs = None,
    schedule: Schedule = "constant",
    early_stopping: EarlyStopping = True,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A folder for all of it; a suite that is there goes on. "
            "Default: ravine-runs/suite-TIME.",
        ),
    ] = None,
    workers: Workers = None,
    ray: Ray = None,
    device: Device = "cpu",
    quiet: Quiet = False,
) -> None:
    """Race the same rules on several tasks; score them over all, as AlgoPerf does."""
    with exit_codes():
        from ravine.api import suite

        show(
            suite(
                tasks,
                rules=rules,
                out=out,
                workers=workers,
                ray=ray,
                progress=not quiet,
                tuning_seeds=tuning_seeds,
                eval_seeds=eval_seeds,
                epochs=epochs,
                schedule=schedule,
                device=device,
                early_stopping=early_stopping,
            )
        )


def crosscheck(
    folder: Folder,
    framework: Annotated[
        str, typer.Option("--in", metavar="FRAMEWORK", help="tensorflow, jax or torch.")
    ],
    seeds: Annotated[int, typer.Option(metavar="N", help="Unused seeds to take, from 3.")] = 3,
    task: OwnTask = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Train a finished race's winner and gradient descent in a framework, by model.fit."""
    with exit_codes():
        from rich.console import Console

        from ravine.execution.crosscheck import crosscheck as crosscheck_race
        from ravine.reporting import terminal
        from ravine.reporting.console import wide
        from ravine.tasks.adapters.entry import named

        own, shown = named(task), not quiet
        found = crosscheck_race(
            folder, framework, seeds=seeds, task=own, workers=workers, progress=shown
        )
        if quiet:
            typer.echo(str(found))
            return
        terminal.show_confirmation(found, wide(Console()))
        typer.echo(f"\nReport: {folder / 'report.html'}")


def show(found: "Suite") -> None:
    """Print a suite's tables, and where its report is."""
    from rich.console import Console

    from ravine.reporting import suite_page

    suite_page.show(found.across, found.results, Console())
    typer.echo(f"\nReport: {found.folder / 'suite.html'}")
