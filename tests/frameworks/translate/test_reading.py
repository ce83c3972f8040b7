"""A line of code is parsed and never run; what is wrong is named, with what would be right."""

import runpy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravine.errors import InvalidArgument
from ravine.frameworks.translate import read
from ravine.frameworks.translate.translation import translate, translation

REFUSED: dict[str, str] = runpy.run_path(str(Path(__file__).with_name("texts.py")))["REFUSED"]

TOUCH = "__import__('pathlib').Path('{file}').touch()"
HOSTILE = [
    "{touch}",
    "keras.optimizers.Adam({touch})",
    "keras.optimizers.Adam(learning_rate={touch})",
    "keras.optimizers.Adam(amsgrad={touch})",
    "keras.optimizers.Adam(name={touch}, use_ema={touch})",
    "keras.optimizers.Adam(**{touch})",
    "keras.optimizers.Adam(*{touch})",
    "torch.optim.SGD(*{touch}, lr=0.1)",
    "keras.optimizers.Adam(f'{{{touch}}}')",
    "keras.optimizers.Adam((lambda: {touch})())",
    "keras.optimizers.Adam([{touch} for _ in 'a'])",
    "keras.optimizers.Adam(x := {touch})",
    "({touch}).Adam()",
    "torch.optim[{touch}].Adam()",
    "optax.chain({touch})",
    "optax.chain(optax.clip({touch}), optax.adam(0.1))",
    "adam(beta_1={touch})",
    "(lambda: {touch})()",
]
MALFORMED = [
    "",
    " ",
    "\0",
    "keras.optimizers.Adam(",
    "keras.optimizers.Adam()()",
    "import keras",
    "x, y = 1, keras.optimizers.Adam()",
    "0.001",
    "'adam'",
    "keras.optimizers.Adam() if x else keras.optimizers.SGD()",
    "keras.optimizers.Adam(learning_rate=0.1, learning_rate=0.2)",
    "keras.optimizers.Adam(**kwargs)",
    "torch.optim.Adam(*args)",
    "keras.optimizers.Adam(1, 2, 3, 4, 5, 6, 7, 8, 9)",
    *(f"{'(' * n}{')' * n}" for n in (90, 190, 10**5)),
    *(f"keras.optimizers.Adam({'-' * n}1)" for n in (2, 900, 10**5)),
    *(f"keras{'.a' * n}" for n in (900, 50_000)),
    *(f"keras.optimizers.Adam({'a(' * n}{')' * n})" for n in (90, 190, 25_000)),
    *(f"keras.optimizers.Adam({'1+' * n}1)" for n in (50_000,)),
    f"keras.optimizers.Adam({'9' * 400})",
    f"keras.optimizers.Adam({'9' * 10**5})",
    f"keras.optimizers.Adam({'x' * 10**5}=1)",
]
NUMBERS = [
    "nan",
    "float('nan')",
    "1e999",
    "-0.1",
    "0",
    "1j",
    "True",
    "'0.1'",
    "None",
    "[0.1]",
    "...",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_is_ever_run(text: str, tmp_path: Path) -> None:
    file = tmp_path / "touched"
    with pytest.raises(InvalidArgument):
        read(text.format(touch=TOUCH.format(file=file)))
    assert not file.exists()


def test_what_is_unknown_may_be_code_where_it_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "touched"
    touch = TOUCH.format(file=file)
    assert read(f"torch.optim.SGD({touch}, lr=0.1)") == read("torch.optim.SGD(params, lr=0.1)")
    assert not file.exists()


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: text[:40])
def test_what_cannot_be_read_is_a_wrong_call(text: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        read(text)
    assert len(str(error.value)) < 700


def test_a_pasted_line_and_plain_arithmetic_are_read() -> None:
    _, expected = read("torch.optim.Adam(params, lr=0.008)")
    assert read("opt = torch.optim.Adam(params, lr=1e-3 * 8)")[1] == expected


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "text",
    [
        "keras.optimizers.SGD({})",
        "torch.optim.Adam(params, lr={})",
        "optax.adam({})",
        "tf.train.AdamOptimizer({})",
    ],
)
def test_a_learning_rate_is_a_number_above_0(text: str, number: str) -> None:
    with pytest.raises(InvalidArgument, match=r"learning_rate|lr"):
        read(text.format(number))


@pytest.mark.parametrize(("text", "word"), REFUSED.items())
def test_what_is_not_translated_is_named(text: str, word: str) -> None:
    with pytest.raises(InvalidArgument, match=word):
        read(text)


@pytest.mark.parametrize(
    ("text", "right"),
    {
        "keras.optimizers.Adm()": "'Adam'",
        "keras.optimizers.adamw()": "'AdamW'",
        "torch.optim.Nadam(params)": "'NAdam'",
        "torch.optim.RMSProp(params)": "'RMSprop'",
        "optax.Adam(0.1)": "'adam'",
        "tf.train.Adam(0.1)": "'AdamOptimizer'",
        "torch.optim.Adam(params, learning_rate=0.1)": "'lr'",
        "torch.optim.Adam(params, beta_1=0.8)": "'betas'",
        "torch.optim.RMSprop(params, rho=0.8)": "'alpha'",
        "keras.optimizers.Adam(lr=0.1)": "'learning_rate'",
        "keras.optimizers.Adam(eps=0.1)": "'epsilon'",
        "keras.optimizers.Adam(b1=0.8)": "'beta_1'",
        "optax.adam(0.1, beta_2=0.9)": "'b2'",
        "optax.chain(optax.clip_by_globalnorm(1.0), optax.adam(0.1))": "'clip_by_global_norm'",
        "tf.train.MomentumOptimizer(0.1, 0.9, nesterov=True)": "'use_nesterov'",
        "jax.Adam2(0.1)": "keras.optimizers.Adam",
    }.items(),
)
def test_the_nearest_right_thing_is_said(text: str, right: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        read(text)
    assert right in "\n".join([str(error.value), *getattr(error.value, "__notes__", [])])


GOLDEN = [
    (
        "keras.optimizers.Adam(learning_rate=0.001)",
        "torch",
        "torch.optim.Adam(params, lr=0.001, eps=1e-07)",
    ),
    ("keras.optimizers.Adam()", "optax", "optax.adam(0.001, eps=1e-07)"),
    (
        "keras.optimizers.RMSprop()",
        "torch",
        "ravine.to_torch(ravine.RMSprop(learning_rate=0.001, epsilon=1e-07), params)",
    ),
    ("keras.optimizers.RMSprop()", "optax", "optax.rmsprop(0.001, eps=1e-07)"),
    (
        "keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)",
        "torch",
        "torch.optim.SGD(params, lr=0.01, momentum=0.9, nesterov=True)",
    ),
    (
        "keras.optimizers.AdamW()",
        "torch",
        "torch.optim.AdamW(params, lr=0.001, eps=1e-07, weight_decay=0.004)",
    ),
    (
        "keras.optimizers.Nadam()",
        "torch",
        "torch.optim.NAdam(params, lr=0.001, eps=1e-07, momentum_decay=1.0)",
    ),
    (
        "keras.optimizers.Adam(global_clipnorm=1.0)",
        "optax",
        "optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.001, eps=1e-07))",
    ),
    ("torch.optim.AdamW(params)", "optax", "optax.adamw(0.001, weight_decay=0.01)"),
    (
        "torch.optim.AdamW(params)",
        "keras",
        "keras.optimizers.AdamW(learning_rate=0.001, epsilon=1e-08, weight_decay=0.01)",
    ),
    (
        "torch.optim.Adagrad(params)",
        "keras",
        "ravine.to_keras(ravine.Adagrad(learning_rate=0.01, epsilon=0.0, epsilon_outside=1e-10))",
    ),
    (
        "torch.optim.RMSprop(params, lr=0.01)",
        "optax",
        "optax.rmsprop(0.01, decay=0.99, eps_in_sqrt=False)",
    ),
    (
        "torch.optim.Adam(params, weight_decay=0.1)",
        "optax",
        "optax.chain(optax.add_decayed_weights(0.1), optax.adam(0.001))",
    ),
    ("optax.nadam(0.001)", "keras", "ravine.to_keras(ravine.SteadyNadam(learning_rate=0.001))"),
    (
        "optax.amsgrad(0.001)",
        "torch",
        "ravine.to_torch(ravine.CorrectedAMSGrad(learning_rate=0.001), params)",
    ),
    (
        "optax.sgd(0.1, momentum=0.9, nesterov=True)",
        "keras",
        "keras.optimizers.SGD(learning_rate=0.1, momentum=0.9, nesterov=True)",
    ),
    (
        "tf.train.AdamOptimizer()",
        "keras",
        "keras.optimizers.Adam(learning_rate=0.001, epsilon=1e-08)",
    ),
    ("nadam", "torch", "torch.optim.NAdam(params, lr=0.002)"),
    ("momentum(momentum=0.8)", "optax", "optax.sgd(0.002, momentum=0.8)"),
]


@pytest.mark.parametrize(("text", "to", "expected"), GOLDEN)
def test_translations_by_hand(text: str, to: str, expected: str) -> None:
    assert translate(text, to=to) == expected


def test_a_decay_beside_the_learning_rate_is_exact_until_that_changes() -> None:
    found = translation("keras.optimizers.RMSprop(0.01, weight_decay=0.1)", "optax")
    assert found.text == (
        "optax.chain(optax.rmsprop(0.01, eps=1e-07), optax.add_decayed_weights(-0.001))"
    )
    assert found.exact
    assert not found.under_schedules


def test_two_ways_of_clipping_are_read_in_their_order() -> None:
    found = translation("clip(adam, clipvalue=1, global_clipnorm=2)", "optax")
    assert found.native is not None
    assert read(found.native)[1] == found.rule
    with pytest.raises(InvalidArgument, match="clip_by_global_norm first"):
        read("optax.chain(optax.clip(1.0), optax.clip_by_global_norm(2.0), optax.adam(0.1))")


rates = st.floats(1e-5, 1.0).map(lambda x: float(f"{x:.15g}"))
# Not next to 0: where a mean is the last gradient but for its last bits, a variance is rounding.
betas = st.just(0.0) | st.floats(1e-4, 0.999).map(lambda x: float(f"{x:.15g}"))
THERE_AND_BACK = {
    "keras": ("torch", "keras.optimizers.SGD(learning_rate={0}, momentum={1}, nesterov=True)"),
    "torch": (
        "optax",
        "torch.optim.AdamW(params, lr={0}, betas=({1}, {2}), eps={3}, weight_decay={3})",
    ),
    "optax": ("torch", "optax.rmsprop({0}, decay={1}, eps={3}, eps_in_sqrt=False, centered=True)"),
}


@settings(max_examples=8)
@given(st.tuples(rates, betas, betas, rates))
@pytest.mark.parametrize("framework", THERE_AND_BACK)
def test_there_and_back_is_where_it_began(framework: str, numbers: tuple[float, ...]) -> None:
    to, text = THERE_AND_BACK[framework]
    rule = read(text.format(*numbers))[1]
    found = translation(rule, to)
    assert found.exact
    assert found.native is not None
    back = translation(found.native, framework)
    assert back.native is not None
    again = read(back.native)[1]
    assert again.values() == pytest.approx(rule.values(), rel=1e-14)
