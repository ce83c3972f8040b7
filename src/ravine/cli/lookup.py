"""Commands that look things up: rules, tasks, a rule in another framework."""

from typing import Annotated

import typer

from ravine.cli.exits import exit_codes

SHOW_EXAMPLES = (
    "**Examples**: `ravine show adam`, `ravine show 'momentum(dampening=0)' --as latex`, "
    "`ravine show 'decay(adam)'`, `ravine show adam --as torch`"
)
TRANSLATE_EXAMPLES = """**Examples**

- `ravine translate "keras.optimizers.Adam(learning_rate=0.001)" --to torch`

- `ravine translate "torch.optim.RMSprop(model.parameters(), lr=0.01)" --to optax`

- `ravine translate "tf.train.MomentumOptimizer(0.1, 0.9)" --to keras 2> /dev/null`: the line alone

- `ravine translate "optax.nadam(0.01)" --to ravine`: the rule, as ravine spells it
"""


def rules() -> None:
    """List the update rules, their hyperparameters and what those may be."""
    from ravine.reporting import listings

    listings.show_rules()


def show(
    rule: Annotated[str, typer.Argument(help="A rule, such as adam or 'adam(beta_1=0.8)'.")],
    form: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="FORM",
            help="latex, mathml or javascript: that text alone; keras, optax or torch: the line of "
            "code there.",
        ),
    ] = None,
) -> None:
    """Show a rule in full: its equations, from its own code, its hyperparameters, its source."""
    with exit_codes():
        from rich.console import Console

        from ravine.frameworks.spelling import read_rule
        from ravine.reporting.show import show as show_rule

        show_rule(read_rule(rule), form, Console())


def translate(
    optimizer: Annotated[
        str,
        typer.Argument(help="A line of Keras, PyTorch, Optax or TensorFlow 1, or a rule."),
    ],
    to: Annotated[str, typer.Option(metavar="FRAMEWORK", help="keras, torch, optax or ravine.")],
) -> None:
    """Print the line of code that walks the same path in another framework.

    The line goes to standard output; how sure it is, and what differs, to standard error.
    """
    with exit_codes():
        from rich.console import Console

        from ravine.frameworks.translate import read
        from ravine.frameworks.translate.translation import translation
        from ravine.reporting import translated

        out, notes = Console(), Console(stderr=True)
        if to.lower() == "ravine":
            out.out(read(optimizer)[1], highlight=False)
        else:
            translated.show(translation(optimizer, to), out, notes)


def tasks() -> None:
    """List the tasks that ravine ships."""
    from ravine.reporting import listings

    listings.show_tasks()
