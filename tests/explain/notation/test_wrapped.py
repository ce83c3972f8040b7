"""Rules that hold a rule, written down: one text, with the names of both."""

import json
import random
import shutil
import struct
import subprocess
import unicodedata
from xml.etree import ElementTree

import pytest

from ravine.errors import RavineError
from ravine.explain.notation import javascript, latex, mathml, plain
from ravine.explain.notation.equations import sections
from ravine.rules import RULES, SGD, Adam, Momentum, Nesterov
from ravine.rules.update_rule import Rule
from ravine.rules.wrappers import L2, Clip, Decay, Partition, Scheduled
from ravine.rules.wrappers.partition import parts

UNICODE: list[tuple[Rule, str]] = [
    (
        Decay(Momentum()),
        """\
 V₀ = 0
 gₜ = ∇J(wₜ₋₁)
w′ₜ = wₜ₋₁ − α λ wₜ₋₁
 Vₜ = β Vₜ₋₁ + (1 − β) gₜ
 wₜ = w′ₜ − α Vₜ""",
    ),
    (
        L2(Nesterov()),
        """\
 V₀ = 0
 gₜ = ∇J(wₜ₋₁ − α β Vₜ₋₁)
g′ₜ = gₜ + λ (wₜ₋₁ − α β Vₜ₋₁)
 Vₜ = β Vₜ₋₁ + (1 − β) g′ₜ
 wₜ = wₜ₋₁ − α Vₜ""",
    ),
    (
        Clip(Momentum(), clipnorm=1, clipvalue=0.5),
        """\
 V₀ = 0
 gₜ = ∇J(wₜ₋₁)
g′ₜ = max(min(gₜ (c / max(‖gₜ‖, c)), κ), −κ)
 Vₜ = β Vₜ₋₁ + (1 − β) g′ₜ
 wₜ = wₜ₋₁ − α Vₜ""",
    ),
    (
        Clip(SGD(), global_clipnorm=1),
        """\
 gₜ = ∇J(wₜ₋₁)
g′ₜ = gₜ (C / max(‖gₜ‖, C))
 wₜ = wₜ₋₁ − α g′ₜ""",
    ),
    (
        Partition(Momentum(), biases=SGD(0.5)),
        """\
for weights of two and more dimensions:
V₀ = 0
gₜ = ∇J(wₜ₋₁)
Vₜ = β Vₜ₋₁ + (1 − β) gₜ
wₜ = wₜ₋₁ − α Vₜ

for biases and all of fewer:
gₜ = ∇J(wₜ₋₁)
wₜ = wₜ₋₁ − α gₜ""",
    ),
    (
        Scheduled(Nesterov()),
        """\
 V₀ = 0
 qₜ = min(t − 1, T) / T
α′ₜ = α · 0.5 (1 + cos(π qₜ))
 gₜ = ∇J(wₜ₋₁ − α′ₜ β Vₜ₋₁)
 Vₜ = β Vₜ₋₁ + (1 − β) gₜ
 wₜ = wₜ₋₁ − α′ₜ Vₜ""",
    ),
    (
        Scheduled(Decay(SGD()), schedule="step", warmup=0.1),
        """\
   gₜ = ∇J(wₜ₋₁)
   qₜ = max(min(t − 1, T) / T − warmup, 0) / (1 − warmup)
doneₜ = min(t, T) / T
rampₜ = doneₜ / max(doneₜ, warmup)
  α′ₜ = α rampₜ (1 if qₜ < 0.5 else (0.1 if qₜ < 0.75 else 0.01))
  w′ₜ = wₜ₋₁ − α′ₜ λ wₜ₋₁
   wₜ = w′ₜ − α′ₜ gₜ""",
    ),
]


@pytest.mark.parametrize(("shown", "text"), UNICODE, ids=[str(shown) for shown, _ in UNICODE])
def test_as_the_terminal_shows_it(shown: Rule, text: str) -> None:
    assert plain.write(shown) == unicodedata.normalize("NFC", text)


def test_as_latex() -> None:
    assert (
        latex.write(Scheduled(Partition(Clip(SGD(), clipnorm=1)), steps=50))
        == r"""\begin{aligned}
&\text{for weights of two and more dimensions:} \\
g_{t} &= \nabla J(w_{t-1}) \\
q_{t} &= \frac{\min(t - 1, T)}{T} \\
\alpha'_{t} &= \alpha \cdot 0.5 (1 + \cos(\pi q_{t})) \\
g'_{t} &= g_{t} \frac{c}{\max\left(\left\|g_{t}\right\|, c\right)} \\
w_{t} &= w_{t-1} - \alpha'_{t} g'_{t} \\
&\text{for biases and all of fewer:} \\
g_{t} &= \nabla J(w_{t-1}) \\
q_{t} &= \frac{\min(t - 1, T)}{T} \\
\alpha'_{t} &= \alpha \cdot 0.5 (1 + \cos(\pi q_{t})) \\
w_{t} &= w_{t-1} - \alpha'_{t} g_{t}
\end{aligned}"""
    )


@pytest.mark.parametrize("shown", [shown for shown, _ in UNICODE], ids=str)
def test_mathml_has_a_row_for_each_line(shown: Rule) -> None:
    top = ElementTree.fromstring(mathml.write(shown))
    rows = [line for line in plain.write(shown).splitlines() if line]
    assert len(top.findall("./mtable/mtr")) == len(rows)
    said = [said for said, _ in sections(shown) if said]
    assert [text.text for text in top.iter("mtext") if "for " in (text.text or "")] == [
        f"{one}:" for one in said
    ]


def test_the_letters_of_both_rules() -> None:
    assert plain.letters(Decay(Partition(Momentum(), biases=Momentum(momentum=0.5)))) == {
        "learning_rate": "α",
        "momentum": "β",
        "dampening": "dampening",
        "biases_momentum": "β",
        "biases_dampening": "dampening",
        "biases_rate": "biases_rate",
        "weight_decay": "λ",
    }


# --- JavaScript -----------------------------------------------------------------------------

SLOPES = [random.Random(k).gauss() for k in range(600)]
WALKERS: list[Rule] = [
    *(
        wrap(kind())
        for kind in RULES.values()
        for wrap in (
            lambda held: Clip(held, clipnorm=0.5, clipvalue=0.4),
            lambda held: Clip(held, global_clipnorm=0.5),
            lambda held: Scheduled(held, schedule="linear", steps=500, warmup=0.1),
            lambda held: Scheduled(held, schedule="step", steps=500, end=0.04),
            Partition,
        )
    ),
    *(
        wrap(kind())
        for kind in RULES.values()
        if "weight_decay" not in kind.defaults()
        for wrap in (Decay, L2, lambda held: Scheduled(Decay(Partition(held)), schedule="linear"))
    ),
]


def walked(walker: Rule) -> list[float]:
    w, state, seen = 0.3, walker.init(0.3), []
    for t, g in enumerate(SLOPES, 1):
        seen.append(walker.lookahead(w, state, t))
        w, state = walker.update(w, walker.together([g])[0], state, t)
        seen.append(w)
    return seen


def script(text: str, name: str) -> str:
    return f"""{{
{text}
const h = {name}.hyper, seen = [];
let w = 0.3, s = {name}.init(h, w);
slopes.forEach((g, i) => {{
  seen.push({name}.lookahead(h, w, s, i + 1));
  w = {name}.update(h, w, g, s, i + 1);
  seen.push(w);
}});
console.log(Buffer.from(new Float64Array(seen).buffer).toString('hex'));
}}
"""


def by_node(scripts: list[str]) -> list[list[float]]:
    node = shutil.which("node")
    if node is None:
        pytest.fail("this test runs JavaScript; install Node: apt-get install nodejs")
    text = f'"use strict";\nconst slopes = {json.dumps(SLOPES)};\n' + "".join(scripts)
    done = subprocess.run([node, "-"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    size = 2 * len(SLOPES)
    return [list(struct.unpack(f"<{size}d", bytes.fromhex(x))) for x in done.stdout.split()]


def test_javascript_has_the_bits_of_python() -> None:
    scripts, expected, names = [], [], []
    for walker in WALKERS:
        for what, part in parts(walker).items():
            name = f"{walker.name}_{what}" if what else walker.name
            scripts.append(script(javascript.write(walker), name))
            expected.append(walked(part))
            names.append(f"{walker} {what}")
    for name, found, wanted in zip(names, by_node(scripts), expected, strict=True):
        assert len(set(wanted)) > 100, "this walk tests nothing"
        assert found == wanted, name


def test_the_cosine_stays_close() -> None:
    # Math.cos is not the C library's: a last bit of the rate here and there.
    walker = Scheduled(Adam(), steps=500, warmup=0.1)
    (found,) = by_node([script(javascript.write(walker), "scheduled")])
    assert max(abs(a - b) for a, b in zip(found, walked(walker), strict=True)) < 1e-14


def test_a_partition_is_no_single_literal() -> None:
    with pytest.raises(RavineError, match="a rule for weights and one for biases"):
        javascript.literal(Decay(Partition(Momentum())))
    assert "const partition_biases = {" in javascript.write(Partition(Momentum()))
