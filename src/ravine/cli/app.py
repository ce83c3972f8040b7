"""The command line: a thin function a command over ``ravine.api``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ravine.cli import evidence, finished, lookup, walks
from ravine.cli.exits import VERBOSE, exit_codes
from ravine.cli.new import NEW_EXAMPLES, new
from ravine.cli.options import (
    AsJson,
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

if TYPE_CHECKING:
    pass

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find the optimizer that trains your network fastest, prove it, and show why.",
    epilog="Start with `ravine race`; `ravine COMMAND --help` has examples.",
)

Profile = Annotated[
    bool, typer.Option("--profile", help="Print where the time went, and the lanes used.")
]
RACE_EXAMPLES = """**Examples**

- `ravine race`: all rules on digits-mlp

- `ravine race --rules "sgd,adam(beta_1=0.8)" --out my-race`

- `ravine race --rules sgd,nadam --learning-rates 1e-4:1:13 --tuning-seeds 5 --eval-seeds 20`

- `ravine race --rules "adam,clip(momentum, clipnorm=1),partition(momentum)" --schedule cosine`

- `ravine race --rules adam --epochs 5 --eval-seeds 6`: a quick look

- `ravine race digits-cnn --budget 5min`: as much as five minutes allow

- `ravine race --rules momentum,adam --target "accuracy>=0.95" --repetitions 6`

- `ravine race --rules adam,adamw --search beta_2,weight_decay`

- `ravine race --crosscheck tensorflow`: the winner once more, by `model.fit` on TensorFlow

- `ravine race digits-deep --vary activation=relu,sigmoid --vary normalization=none,batch`

- `ravine race --quiet --json > verdict.json`: for scripts

- `ravine race --ray auto`: on the Ray cluster of which this machine is a node

- `ravine race my_task.py:make_task`: your own, which `ravine new my_task.py` begins

"""


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"ravine {version('ravine')}")
        raise typer.Exit


@app.callback()
def ravine(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print the traceback of what fails in your code.")
    ] = False,
) -> None:
    """Find the optimizer that trains your network fastest, prove it, and show why."""
    VERBOSE.set(verbose)


@app.command(epilog=RACE_EXAMPLES)
def race(
    task: Annotated[
        str,
        typer.Argument(
            help="What to train: one of `ravine tasks`, or your own, as my_task.py:make_task."
        ),
    ] = ("digits-mlp"),
    rules: Rules = None,
    learning_rates: Annotated[
        str | None,
        typer.Option(
            metavar="LO:HI:N",
            help="N learning rates from LO to HI, evenly on a log scale, or a list such as "
            "0.1,0.3,1, for every rule. Default: nine over each rule's own range.",
        ),
    ] = None,
    reference: Annotated[
        str,
        typer.Option(metavar="RULE", help="The rule that the others are compared with."),
    ] = "sgd",
    tuning_seeds: TuningSeeds = 2,
    eval_seeds: EvalSeeds = 12,
    looks: Annotated[
        bool,
        typer.Option(
            help="Whether a rule gets fewer evaluation seeds where 6 or 9 say enough about it."
        ),
    ] = True,
    objective: Annotated[
        str,
        typer.Option(
            metavar="WHAT",
            help="What the optimizer to paste is best in: time (then the final loss, of rules that "
            "cannot be told apart), or final: the lowest test loss in the end.",
        ),
    ] = "time",
    epochs: Epochs = None,
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", help="Rows a step. Default: the task's.")
    ] = None,
    schedule: Schedule = "constant",
    early_stopping: EarlyStopping = True,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="What has to be reached: a test loss such as 0.3, or such as 'accuracy>=0.95', "
            "'validation accuracy>=0.95' or 'training loss<=0.1'. "
            "Default: what the tuned reference reliably reaches.",
        ),
    ] = None,
    repetitions: Annotated[
        int,
        typer.Option(
            metavar="K",
            help="How often to tune and judge, each time on other seeds. With four or more, "
            "what is claimed is over all of them.",
        ),
    ] = 1,
    search: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Hyperparameters to search beside the learning rate, such as "
            "'beta_2,weight_decay' or 'beta_2=0.9:0.999'; as many trials for every rule.",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Settings that each rule tries. Default: 9, or 27 with --search."
        ),
    ] = None,
    tune: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="full: also the weight decay of rules that have one, within as many trials as "
            "every rule has; lr: the learning rate alone. Default: full.",
        ),
    ] = None,
    crosscheck: Annotated[
        str | None,
        typer.Option(
            metavar="FRAMEWORK",
            help="Train the winner there once more by model.fit: tensorflow, jax or torch.",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="About how long it may take, such as 90s, 5min or 1h30m: seeds and learning rates "
            "are fitted to it, down to what a claim needs, and what was given up is said.",
        ),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LEVER=LIST",
            help="Race under several values of a lever: activation=tanh,relu, "
            "initializer=glorot_uniform,he_normal, normalization=none,batch,layer, "
            "batch_size=16,64, pretraining=none,other-half,my.keras. Give it once for each lever; "
            "`ravine tasks` says which a task has.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A new or empty folder. Default: ravine-runs/TASK-TIME.",
        ),
    ] = None,
    workers: Workers = None,
    ray: Ray = None,
    device: Device = "cpu",
    profile: Profile = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Race update rules: tune each, judge all against a reference, report."""
    with exit_codes():
        from ravine import api
        from ravine.frameworks.spelling import read_rules

        found = api.race(
            task,
            rules=None if rules is None else read_rules(rules),
            learning_rates=learning_rates,
            reference=reference,
            tuning_seeds=tuning_seeds,
            eval_seeds=eval_seeds,
            looks=looks,
            objective=objective,
            epochs=epochs,
            batch_size=batch_size,
            schedule=schedule,
            early_stopping=early_stopping,
            target=target,
            repetitions=repetitions,
            search=search,
            trials=trials,
            tune=tune,
            crosscheck=crosscheck,
            budget=budget,
            vary=vary or None,
            out=out,
            workers=workers,
            ray=ray,
            device=device,
            progress=not quiet,
            profile=profile,
        )
        finished.show(found, as_json=as_json, quiet=quiet)


@app.command()
def resume(
    folder: Folder,
    workers: Workers = None,
    ray: Ray = None,
    profile: Profile = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a race, a suite or a race of levers; what is stored is not run again."""
    with exit_codes():
        from ravine import api
        from ravine.execution import ablation, actions
        from ravine.execution.suite import resume_suite
        from ravine.results.suite import is_suite

        if ablation.is_levers(folder):
            both = ablation.resume(folder, api.race, workers=workers, ray=ray, progress=not quiet)
            finished.show(both, as_json=as_json, quiet=quiet)
            return
        if is_suite(folder):
            evidence.show(
                resume_suite(api.race, folder, workers=workers, ray=ray, progress=not quiet)
            )
            return
        found = actions.resume(
            folder, workers=workers, ray=ray, progress=not quiet, profile=profile
        )
        finished.show(found, as_json=as_json, quiet=quiet)


@app.command(
    epilog="**Examples**: `ravine extend my-race --rules nadam`, "
    "`ravine extend my-race --rules nadam --task my_task.py:make_task`"
)
def extend(
    folder: Folder,
    rules: Annotated[str, typer.Option(metavar="LIST", help="The rules to add.")],
    task: OwnTask = None,
    workers: Workers = None,
    ray: Ray = None,
    profile: Profile = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Add rules to a finished race, under its own plan: what is stored is not run again."""
    with exit_codes():
        from ravine.execution import actions
        from ravine.frameworks.spelling import read_rules
        from ravine.tasks.adapters.entry import named

        found = actions.extend(
            folder,
            read_rules(rules),
            task=named(task),
            workers=workers,
            ray=ray,
            progress=not quiet,
            profile=profile,
        )
        finished.show(found, as_json=as_json, quiet=quiet)


@app.command(
    epilog="**Examples**: `ravine replicate my-race`, `ravine replicate my-race --seeds 20`; a "
    "claim that does not hold is exit code 1"
)
def replicate(
    folder: Folder,
    seeds: Annotated[int, typer.Option(metavar="N", help="Unused seeds to take.")] = 12,
    task: OwnTask = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Run a finished race's winning claim again on seeds that nobody has used."""
    with exit_codes():
        from ravine.execution import actions
        from ravine.tasks.adapters.entry import named

        checked = actions.replicate(
            folder, seeds=seeds, task=named(task), workers=workers, progress=not quiet
        )
        typer.echo(str(checked))
        sys.exit(0 if checked.held else 1)


app.command(epilog=evidence.CROSSCHECK_EXAMPLES)(evidence.crosscheck)
app.command()(finished.report)
app.command(epilog=finished.COMPARE_EXAMPLES)(finished.compare)
app.command(epilog=finished.EXPORT_EXAMPLES)(finished.export)
app.command(epilog=evidence.VALIDATE_EXAMPLES)(evidence.validate)
app.command(epilog=evidence.SUITE_EXAMPLES)(evidence.suite)


app.command()(lookup.rules)
app.command(epilog=lookup.SHOW_EXAMPLES)(lookup.show)
app.command(epilog=lookup.TRANSLATE_EXAMPLES)(lookup.translate)
app.command(epilog=walks.DESCEND_EXAMPLES)(walks.descend)
app.command(epilog=walks.EXPLORE_EXAMPLES)(walks.explore)
app.command()(walks.surfaces)


app.command(epilog=NEW_EXAMPLES)(new)
app.command()(lookup.tasks)


def main() -> None:
    """Run the command line."""
    app()
