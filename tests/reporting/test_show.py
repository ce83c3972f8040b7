"""``ravine show``: a rule in full, or one of its forms as it is."""

from io import StringIO
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from ravine.errors import InvalidArgument, RavineError
from ravine.explain.notation import FORMS
from ravine.reporting import listings
from ravine.reporting.show import show
from ravine.rules import RULES, VARIANTS, Adam, Momentum
from ravine.rules.update_rule import Rule, hyper, rule
from ravine.rules.wrappers import WRAPPING, Clip, Partition


def shown(rule: Rule, form: str | None = None, width: int = 100) -> str:
    console = Console(file=StringIO(), width=width)
    show(rule, form, console)
    printed: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in printed.splitlines())


ADAM = """\
adam  Adam: the mean gradient, divided by the root mean square gradient.

  m₀ = 0,  v₀ = 0
  gₜ = ∇J(wₜ₋₁)
  mₜ = β₁ mₜ₋₁ + (1 − β₁) gₜ
  vₜ = β₂ vₜ₋₁ + (1 − β₂) gₜ²
  m̂ₜ = mₜ / (1 − β₁ᵗ)
  v̂ₜ = vₜ / (1 − β₂ᵗ)
  wₜ = wₜ₋₁ − α m̂ₜ / (√v̂ₜ + ε)

  hyperparameter          default  valid   searched      unit  meaning
  learning_rate   α       0.001    > 0     1e-05 … 0.1   w     length of a step
  beta_1          β₁      0.9      [0, 1)  0.5 … 0.99          memory of the mean
  beta_2          β₂      0.999    [0, 1)  0.9 … 0.9999        memory of the square
  epsilon         ε       1e-08    >= 0    1e-12 … 0.01  g     floor under the divisor
  epsilon_hat     ε̂       0        >= 0                  g     the same before bias correction
  epsilon_root    ε_root  0        >= 0                  g^2   the same inside the root

  Keras    keras.optimizers.Adam(learning_rate=0.001, epsilon=1e-08)
           ε beside the bias correction: the same path but for the first steps
  PyTorch  torch.optim.Adam(params, lr=0.001)
  Optax    optax.adam(0.001)

  Kingma & Ba 2015, Algorithm 1. https://arxiv.org/abs/1412.6980

  Differs: Keras and TF1 add epsilon before the bias correction (the paper's ε̂), default 1e-7 and
  1e-8. Optax can have one inside the root too."""


def test_adam_in_full() -> None:
    assert shown(Adam()) == ADAM


@pytest.mark.parametrize("kind", RULES.values(), ids=list(RULES))
def test_every_rule_fits_a_usual_terminal(kind: type[Rule]) -> None:
    printed = shown(kind(), width=80)
    assert printed.startswith(kind.name)
    assert " wₜ = " in printed
    assert f"\n\n  {(kind.__doc__ or '').split()[0]} " in printed
    for name in kind.hyperparameters():
        assert name in printed
    assert max(map(cell_len, printed.splitlines())) <= 80
    assert "…" not in printed.replace(" … ", "")  # rich's sign for what it cuts off


def test_what_departs_from_the_defaults_stands_beside_them() -> None:
    printed = shown(Momentum(momentum=0.8, dampening=0))
    assert printed.startswith("momentum(momentum=0.8, dampening=0)  Momentum: a step")
    assert "momentum        β  0.8   0.9      [0, 1)" in printed
    assert "dampening          0     –        [0, 1]" in printed


def test_a_rule_that_holds_a_rule_shows_the_hyperparameters_of_both() -> None:
    printed = shown(Clip(Partition(Momentum(), biases=Adam(beta_1=0.8)), clipnorm=1), width=80)
    assert printed.startswith("clip(partition(momentum, biases=adam(beta_1=0.8), biases_rate=0.1)")
    assert "\n  for biases and all of fewer:\n" in printed
    for name in ("learning_rate", "biases_beta_1", "biases_rate", "clipnorm"):
        assert f"\n  {name} " in printed
    assert "Pascanu" in printed
    assert max(map(cell_len, printed.splitlines())) <= 80


def test_what_exists_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    listings.show_rules()
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    for kind in (*RULES.values(), *WRAPPING.values()):
        assert any(line.startswith(f"{kind.name}  ") for line in lines)
    # Of a rule that holds one, what it adds.
    assert [line.split()[0] for line in lines if line.startswith("  ")].count("learning_rate") == (
        len(RULES)
    )
    for name in VARIANTS:
        assert name in printed


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_printed_as_it_is(form: str) -> None:
    # Not wrapped, coloured or read as markup, however narrow the terminal.
    assert shown(Adam(), form, width=20) == FORMS[form](Adam())


def test_a_frameworks_line_is_printed_alone() -> None:
    assert shown(Adam(), "torch", width=20) == "torch.optim.Adam(params, lr=0.001)"


def test_an_unknown_form_is_told_the_nearest() -> None:
    with pytest.raises(InvalidArgument, match="unknown form 'latx': did you mean 'latex'"):
        shown(Adam(), "latx")


def test_a_rule_of_a_user() -> None:
    @rule
    class Signed(Rule):
        learning_rate: float = hyper(0.1, "length of a step [red]in all[/red]")
        steep: bool = hyper(False, "a flag")

        def update(self, w: Any, g: Any, state: Any, t: Any) -> Any:
            return w - self.learning_rate * g, state

    printed = shown(Signed())
    assert "wₜ = wₜ₋₁ − α gₜ" in printed
    assert "length of a step [red]in all[/red]" in printed
    assert "False" in printed
    assert (
        "Signed(learning_rate: " not in printed
    )  # the signature that dataclasses write for want of a docstring


def test_a_rule_that_cannot_be_written_down_prints_nothing() -> None:
    @rule
    class Branching(Rule):
        learning_rate: float = hyper(0.1, "length of a step")

        def update(self, w: Any, g: Any, state: Any, t: Any) -> Any:
            return (w - g if g > 0 else w), state

    console = Console(file=StringIO())
    with pytest.raises(RavineError, match=r"use ravine\.ops\.where"):
        show(Branching(), None, console)
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]
