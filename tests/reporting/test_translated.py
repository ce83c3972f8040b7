"""What a reader is told about a translation."""

import io

import pytest
from rich.console import Console

from ravine.frameworks.translate.translation import translation
from ravine.reporting import translated

ADAM = """
  The same path but for the first steps: PyTorch has ε on the other side of the bias correction,
  which wears off in some 1000 steps. In 100 steps they part by this share of the way:
    gradients about 1       0.00039 %
    gradients about 0.01    0.039 %
    gradients about 0.0001  3.8 %
    gradients about 1e-06   1.7 times
    gradients about 1e-08   3.9 times
  The same path in every step:
    ravine.to_torch(ravine.Adam(learning_rate=0.001, epsilon=0.0, epsilon_hat=1e-07), params)
"""


def printed(text: str, to: str) -> tuple[str, str]:
    """The line, and the notes on it."""
    out, notes = (Console(file=io.StringIO(), width=100) for _ in range(2))
    translated.show(translation(text, to), out, notes)
    texts = [console.file.getvalue() for console in (out, notes)]  # type: ignore[attr-defined]  # StringIO
    return texts[0], "\n".join(line.rstrip() for line in texts[1].split("\n"))


def test_what_differs_is_measured_and_said() -> None:
    line, notes = printed("keras.optimizers.Adam(learning_rate=0.001)", "torch")
    assert line == "torch.optim.Adam(params, lr=0.001, eps=1e-07)\n"
    assert notes == ADAM


@pytest.mark.parametrize(
    ("text", "to", "line", "said"),
    [
        (
            "torch.optim.RMSprop(p, lr=0.01)",
            "optax",
            "optax.rmsprop(0.01, decay=0.99, eps_in_sqrt=False)",
            "The same path, whatever the learning rate does (the same arithmetic).",
        ),
        (
            "keras.optimizers.SGD(0.02, momentum=0.9)",
            "torch",
            "torch.optim.SGD(params, lr=0.02, momentum=0.9)",
            "ravine.to_torch(ravine.HeavyBall(learning_rate=0.02), params)",
        ),
        (
            "keras.optimizers.RMSprop(0.02, rho=0.9)",
            "torch",
            "ravine.to_torch(ravine.RMSprop(learning_rate=0.02, epsilon=1e-07), params)",
            "    torch.optim.RMSprop(params, lr=0.02, alpha=0.9, eps=0.0003162)\n",
        ),
        (
            "torch.optim.Adam(p, weight_decay=0.1)",
            "keras",
            "ravine.to_keras(ravine.L2(ravine.Adam(learning_rate=0.001), weight_decay=0.1))",
            "No optimizer of Keras walks this path: Keras has no L2",
        ),
    ],
)
def test_the_line_comes_alone_and_the_notes_say_why(
    text: str, to: str, line: str, said: str
) -> None:
    out, notes = printed(text, to)
    assert out == f"{line}\n"
    assert said in notes
