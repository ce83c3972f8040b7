"""The equations as a reader sees them, in each form."""

import re
import unicodedata
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from ravine.explain.notation import latex, mathml, plain
from ravine.explain.notation.equations import Glyph, glyph
from ravine.explain.notation.node import Node
from ravine.rules import RULES, SGD, Adagrad, Adam, Momentum, Nadam, Nesterov, RMSprop
from ravine.rules.ops import maximum, sign, sqrt, where
from ravine.rules.update_rule import Rule, hyper, rule

UNICODE = {
    "sgd": """\
gₜ = ∇J(wₜ₋₁)
wₜ = wₜ₋₁ − α gₜ""",
    "momentum": """\
V₀ = 0
gₜ = ∇J(wₜ₋₁)
Vₜ = β Vₜ₋₁ + (1 − β) gₜ
wₜ = wₜ₋₁ − α Vₜ""",
    "momentum(dampening=0)": """\
V₀ = 0
gₜ = ∇J(wₜ₋₁)
Vₜ = β Vₜ₋₁ + gₜ
wₜ = wₜ₋₁ − α Vₜ""",
    "nesterov": """\
V₀ = 0
gₜ = ∇J(wₜ₋₁ − α β Vₜ₋₁)
Vₜ = β Vₜ₋₁ + (1 − β) gₜ
wₜ = wₜ₋₁ − α Vₜ""",
    "adagrad": """\
s₀ = 0
gₜ = ∇J(wₜ₋₁)
sₜ = sₜ₋₁ + gₜ²
wₜ = wₜ₋₁ − α gₜ / √(sₜ + ε)""",
    "rmsprop": """\
s₀ = 0
gₜ = ∇J(wₜ₋₁)
sₜ = β sₜ₋₁ + (1 − β) gₜ²
wₜ = wₜ₋₁ − α gₜ / √(sₜ + ε)""",
    "adam": """\
m₀ = 0,  v₀ = 0
gₜ = ∇J(wₜ₋₁)
mₜ = β₁ mₜ₋₁ + (1 − β₁) gₜ
vₜ = β₂ vₜ₋₁ + (1 − β₂) gₜ²
m̂ₜ = mₜ / (1 − β₁ᵗ)
v̂ₜ = vₜ / (1 − β₂ᵗ)
wₜ = wₜ₋₁ − α m̂ₜ / (√v̂ₜ + ε)""",
    "nadam": """\
      m₀ = 0,  v₀ = 0,  product₀ = 1
      gₜ = ∇J(wₜ₋₁)
      μₜ = β₁ (1 − 0.5 · 0.96^(ψ t))
    μₜ₊₁ = β₁ (1 − 0.5 · 0.96^(ψ (t + 1)))
productₜ = productₜ₋₁ μₜ
      mₜ = β₁ mₜ₋₁ + (1 − β₁) gₜ
      vₜ = β₂ vₜ₋₁ + (1 − β₂) gₜ²
      m̂ₜ = μₜ₊₁ mₜ / (1 − productₜ μₜ₊₁) + (1 − μₜ) gₜ / (1 − productₜ)
      v̂ₜ = vₜ / (1 − β₂ᵗ)
      wₜ = wₜ₋₁ − α m̂ₜ / (√v̂ₜ + ε)""",
}
LATEX = {
    "sgd": r"""
g_{t} &= \nabla J(w_{t-1}) \\
w_{t} &= w_{t-1} - \alpha g_{t}
""",
    "momentum": r"""
V_{0} &= 0 \\
g_{t} &= \nabla J(w_{t-1}) \\
V_{t} &= \beta V_{t-1} + (1 - \beta) g_{t} \\
w_{t} &= w_{t-1} - \alpha V_{t}
""",
    "momentum(dampening=0)": r"""
V_{0} &= 0 \\
g_{t} &= \nabla J(w_{t-1}) \\
V_{t} &= \beta V_{t-1} + g_{t} \\
w_{t} &= w_{t-1} - \alpha V_{t}
""",
    "nesterov": r"""
V_{0} &= 0 \\
g_{t} &= \nabla J(w_{t-1} - \alpha \beta V_{t-1}) \\
V_{t} &= \beta V_{t-1} + (1 - \beta) g_{t} \\
w_{t} &= w_{t-1} - \alpha V_{t}
""",
    "adagrad": r"""
s_{0} &= 0 \\
g_{t} &= \nabla J(w_{t-1}) \\
s_{t} &= s_{t-1} + g_{t}^{2} \\
w_{t} &= w_{t-1} - \frac{\alpha g_{t}}{\sqrt{s_{t} + \varepsilon}}
""",
    "rmsprop": r"""
s_{0} &= 0 \\
g_{t} &= \nabla J(w_{t-1}) \\
s_{t} &= \beta s_{t-1} + (1 - \beta) g_{t}^{2} \\
w_{t} &= w_{t-1} - \frac{\alpha g_{t}}{\sqrt{s_{t} + \varepsilon}}
""",
    "adam": r"""
m_{0} &= 0,\quad v_{0} = 0 \\
g_{t} &= \nabla J(w_{t-1}) \\
m_{t} &= \beta_{1} m_{t-1} + (1 - \beta_{1}) g_{t} \\
v_{t} &= \beta_{2} v_{t-1} + (1 - \beta_{2}) g_{t}^{2} \\
\hat{m}_{t} &= \frac{m_{t}}{1 - \beta_{1}^{t}} \\
\hat{v}_{t} &= \frac{v_{t}}{1 - \beta_{2}^{t}} \\
w_{t} &= w_{t-1} - \frac{\alpha \hat{m}_{t}}{\sqrt{\hat{v}_{t}} + \varepsilon}
""",
    "nadam": r"""
m_{0} &= 0,\quad v_{0} = 0,\quad \mathrm{product}_{0} = 1 \\
g_{t} &= \nabla J(w_{t-1}) \\
\mu_{t} &= \beta_{1} (1 - 0.5 \cdot 0.96^{\psi t}) \\
\mu_{t+1} &= \beta_{1} (1 - 0.5 \cdot 0.96^{\psi (t + 1)}) \\
\mathrm{product}_{t} &= \mathrm{product}_{t-1} \, \mu_{t} \\
m_{t} &= \beta_{1} m_{t-1} + (1 - \beta_{1}) g_{t} \\
v_{t} &= \beta_{2} v_{t-1} + (1 - \beta_{2}) g_{t}^{2} \\
\hat{m}_{t} &= \frac{\mu_{t+1} m_{t}}{1 - \mathrm{product}_{t} \, \mu_{t+1}}
+ \frac{(1 - \mu_{t}) g_{t}}{1 - \mathrm{product}_{t}} \\
\hat{v}_{t} &= \frac{v_{t}}{1 - \beta_{2}^{t}} \\
w_{t} &= w_{t-1} - \frac{\alpha \hat{m}_{t}}{\sqrt{\hat{v}_{t}} + \varepsilon}
""",
}
PINNED: list[Rule] = [SGD(), Momentum(), Momentum(dampening=0), Nesterov(), Adagrad(), RMSprop()]
PINNED += [Adam(), Nadam()]


class Odd(NamedTuple):
    m_1: Any
    v_max: Any
    trust: Any


@rule
class Awkward(Rule):
    """A rule of a user with names that collide, and every operation there is."""

    learning_rate: float = hyper(0.1, "length of a step")
    alpha: float = hyper(0.5, "another α")
    pull_ratio: float = hyper(0.1, "pull to the origin, κ")
    size_of_the_floor: float = hyper(2.0, "a name of four words")
    weight_decay: float = hyper(0.0, "off")
    größe_1: float = hyper(2.0, "not in English")  # noqa: PLC2401
    bold: bool = hyper(True, "a flag")

    def init(self, w: Any) -> Odd:
        return Odd(0 * w, w, 1.0)

    def lookahead(self, w: Any, state: Odd, t: Any) -> Any:
        nu = 1 - 1 / t
        return w + nu * (state.m_1 - w)

    def update(self, w: Any, g: Any, state: Odd, t: Any) -> tuple[Any, Odd]:
        decayed = w - self.weight_decay * w
        g = g + self.pull_ratio * w
        x = maximum(state.v_max, abs(g) / 2)
        x = x * x / (x + 2.5e-8)  # the first x loses its name
        a = -1 / (state.m_1 + self.größe_1) ** 3 if self.bold else 0 * w
        kept = where(g * a >= 0, g, a - self.size_of_the_floor)
        w = decayed - self.learning_rate * kept / sqrt(x) * sign(self.alpha - a)
        return w, Odd(m_1=kept, v_max=x, trust=state.trust)

    def read(self, w: Any, state: Odd, t: Any) -> Any:
        return w * state.trust


AWKWARD = """\
  m₁,₀ = 0,  v_max₀ = w₀,  trust₀ = 1
    νₜ = 1 − 1 / t
    gₜ = ∇J(wₜ₋₁ + νₜ (m₁,ₜ₋₁ − wₜ₋₁))
   g′ₜ = gₜ + κ wₜ₋₁
  x₁,ₜ = max(v_maxₜ₋₁, |g′ₜ| / 2)
v_maxₜ = x₁,ₜ² / (x₁,ₜ + 2.5e−8)
    aₜ = −1 / (m₁,ₜ₋₁ + größe₁)³
  m₁,ₜ = g′ₜ if g′ₜ aₜ ≥ 0 else aₜ − size_of_the_floor
    wₜ = wₜ₋₁ − (α m₁,ₜ / √v_maxₜ) sign(alpha − aₜ)
trustₜ = trustₜ₋₁
 readₜ = wₜ trustₜ"""


@pytest.mark.parametrize("shown", PINNED, ids=str)
def test_as_the_terminal_shows_it(shown: Rule) -> None:
    expected = unicodedata.normalize("NFC", UNICODE[str(shown)])
    assert plain.write(shown) == expected


@pytest.mark.parametrize("shown", PINNED, ids=str)
def test_as_latex(shown: Rule) -> None:
    inside = LATEX[str(shown)].replace("\n+", " +")
    assert latex.write(shown) == rf"\begin{{aligned}}{inside}\end{{aligned}}"


def test_a_rule_of_a_user_with_awkward_names() -> None:
    assert plain.write(Awkward()) == unicodedata.normalize("NFC", AWKWARD)
    assert plain.letters(Awkward())["alpha"] == "alpha"  # α is taken


@pytest.mark.parametrize("shown", [*(kind() for kind in RULES.values()), Awkward()], ids=str)
def test_latex_is_well_formed(shown: Rule) -> None:
    text = latex.write(shown)
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert text.count(r"\left") == text.count(r"\right")
    begun = re.findall(r"\\begin{(\w+)}", text)
    assert sorted(begun) == sorted(re.findall(r"\\end{(\w+)}", text))
    assert text.count(r" \\" + "\n") == len(plain.write(shown).splitlines()) - 1
    assert not re.search(r"[{}\w]'[^{}]*}\^|'\^", text)  # two superscripts are an error to TeX


# https://www.w3.org/TR/mathml-core/#mathml-elements-and-attributes
CORE = "math mtable mtr mtd mrow mi mn mo mtext mspace mfrac msqrt msub msup msubsup mover"
CHILDREN = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "mover": 2}


@pytest.mark.parametrize("shown", [*(kind() for kind in RULES.values()), Awkward()], ids=str)
def test_mathml_is_core_and_well_formed(shown: Rule) -> None:
    top = ElementTree.fromstring(mathml.write(shown))
    assert top.tag == "math"
    for element in top.iter():
        assert element.tag in CORE.split()
        assert len(element) == CHILDREN.get(element.tag, len(element))
        if element.tag in ("mi", "mn", "mo", "mtext"):
            assert len(element) == 0
        else:
            assert not (element.text or "").strip()
    assert len(top.findall("./mtable/mtr")) == len(plain.write(shown).splitlines())


def test_names_cannot_break_out() -> None:
    hostile = Node("symbol", value=Glyph(r"<b>&\input{x}$#^_%~", below="</mi>"))
    text = mathml.MathML().write(hostile)
    assert "".join(ElementTree.fromstring(text).itertext()) == r"<b>&\input{x}$#^_%~</mi>"
    text = latex.Latex().write(hostile)
    assert not re.search(r"(?<!\\)[$#%&~]|\\input", text)


def test_how_names_become_letters() -> None:
    assert glyph("beta_1") == glyph("beta1") == Glyph("β", below="1")
    assert glyph("v_hat") == Glyph("v", "hat")
    assert glyph("mu_next") == Glyph("μ", step="+1")
    assert glyph("v_max") == Glyph("v", below="max")
    assert glyph("trust_ratio") == Glyph("trust_ratio")
    assert glyph("_v") == Glyph("_v")
