"""All checks of ``ravine.frameworks.keras`` on one Keras backend, in one process.

A program of its own, because a process has one Keras backend: ``python keras_backend.py RESULTS``
with KERAS_BACKEND set. RESULTS, a JSON file, then holds by name what went wrong in each check, or
null. ``test_keras.py`` reads the names from the decorators, without running this.
"""

import functools
import importlib
import json
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Keras imports them where they are installed, for what is not tested here: seconds. So it does
    # TensorFlow on other backends, to seed it and to save.
    unused = {"sklearn", "pandas", "tensorflow"} - {os.environ["KERAS_BACKEND"]}
    sys.modules |= dict.fromkeys(unused)  # type: ignore[arg-type]

import keras
import numpy as np
import pytest
from keras import ops

from ravine import SGD, Adam, AdamW, Nadam, Nesterov
from ravine.errors import InvalidArgument
from ravine.frameworks.keras import RuleOptimizer, to_keras
from ravine.rules import RULES
from ravine.rules.update_rule import Rule

BACKEND = keras.backend.backend()
CHECKS: dict[str, Callable[[], None]] = {}
STEPS = 60
# Keras's TensorFlow backend turns 0.9 into float32 before float64, so the natives compute with
# 0.89999998 there. Numbers with few binary digits survive that: all of ours here, the rates too.
CHANGING = 2.0**-5 * (1 + np.arange(STEPS) % 8 / 8)
START = [np.array([1.0, -0.5, 0.25]), np.array([[0.5, 2.0]])]
_random = np.random.default_rng(0)
SLOPES = [[_random.normal(size=w.shape) for w in START] for _ in range(STEPS)]

# A user's file, with rules that hand old arrays on, remember numbers, look ahead and read.
MINE = """
from typing import Any, NamedTuple

from ravine import Rule, hyper, rule
from ravine.rules.ops import norm, sqrt


class Past(NamedTuple):
    last: Any
    before: Any
    start: Any
    product: Any


@rule
class Delayed(Rule):
    learning_rate: float = hyper(2.0**-5, "length of a step", valid="> 0")
    share: float = hyper(0.5, "share of the older gradient", valid="[0, 1]")

    def init(self, w):
        return Past(last=0 * w, before=0 * w, start=w, product=1.0)

    def lookahead(self, w, state, t):
        return w - self.learning_rate * self.share * state.before

    def update(self, w, g, state, t):
        assert not any(hasattr(x, "assign") for x in (w, g, *state)), "variables, not arrays"
        move = g + self.share * state.last + self.share**2 * state.before
        w_new = w - self.learning_rate * move * (1 + state.product)
        return w_new, Past(last=g, before=state.last, start=w, product=state.product * self.share)


class Mean(NamedTuple):
    mean: Any


@rule
class Averaged(Rule):
    learning_rate: float = hyper(2.0**-5, "length of a step", valid="> 0")

    def init(self, w):
        return Mean(w)

    def lookahead(self, w, state, t):
        return 0.75 * w + 0.25 * state.mean

    def update(self, w, g, state, t):
        w = w - self.learning_rate * g
        return w, Mean(state.mean + (w - state.mean) / (t + 1))

    def read(self, w, state, t):
        return state.mean


@rule
class Bounded(Rule):
    learning_rate: float = hyper(0.5, "length of a step", valid="> 0")

    def together(self, gradients):
        length = sqrt(sum(norm(g) * norm(g) for g in gradients))
        return [g / length for g in gradients]

    def update(self, w, g, state, t):
        return w - self.learning_rate * g, state


@rule
class Alone(Rule):
    learning_rate: float = hyper(0.5, "length of a step", valid="> 0")

    def update(self, w, g, state, t):
        return w - self.learning_rate * g / norm(g), state
"""


def check(*cases: str, on: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a function once, or once a case; on one backend, or on all."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        if on in ("", BACKEND):
            if not cases:
                CHECKS[function.__name__] = function
            for case in cases:
                CHECKS[f"{function.__name__}, {case}"] = functools.partial(function, case)
        return function

    return register


@contextmanager
def float64() -> Iterator[None]:
    keras.config.set_floatx("float64")
    if BACKEND == "jax":
        import jax

        context = jax.enable_x64(True)
    else:
        context = nullcontext()
    try:
        with context:
            yield
    finally:
        keras.config.set_floatx("float32")


def exact(x: Any) -> Any:
    narrow = "float16" in keras.backend.standardize_dtype(x.dtype)
    x = x.value if isinstance(x, keras.Variable) else x
    return np.asarray(ops.convert_to_numpy(ops.cast(x, "float32") if narrow else x))


def variables(dtype: str | None = None) -> list[Any]:
    return [keras.Variable(w, dtype=dtype or keras.config.floatx()) for w in START]


def flat(arrays: Sequence[Any]) -> Any:
    return np.concatenate([exact(x).ravel() for x in arrays])


def compiled(optimizer: Any, stored: list[Any]) -> Callable[[list[Any]], None]:
    """A step as ``fit`` would compile it. PyTorch's is not compiled."""
    optimizer.build(stored)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        function = tf.function(lambda slopes: optimizer.apply(slopes, stored))
        return lambda slopes: function([tf.constant(g) for g in slopes])
    if BACKEND == "jax":
        import jax

        function = jax.jit(optimizer.stateless_apply)

        def step(slopes: list[Any]) -> None:
            slots = [v.value for v in optimizer.variables]
            values, slots = function(slots, slopes, [v.value for v in stored])
            for variable, value in zip(stored + optimizer.variables, values + slots, strict=True):
                variable.assign(value)

        return step
    return lambda slopes: optimizer.apply([ops.convert_to_tensor(g) for g in slopes], stored)


def walk(optimizer: Any, steps: int) -> Any:
    """All the variables after each step, under gradients that do not ask where they are."""
    stored = variables()
    step = compiled(optimizer, stored)
    path = []
    for t in range(steps):
        step([g.astype(keras.config.floatx()) for g in SLOPES[t]])
        path.append(flat(stored))
    return np.array(path)


def gap(one: Any, other: Any) -> float:
    return float(np.abs(np.asarray(one) - np.asarray(other)).max())


def network(optimizer: Any, how: str = "eager", **arguments: Any) -> Any:
    """Compiled in full ("jit"), as TensorFlow's graph ("graph"), or only where JAX does it.

    Tracing and compiling a step takes longer than all the steps.
    """
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(6, "tanh", **arguments),
        keras.layers.Dense(1, **arguments),
    ]
    model = keras.Sequential(layers)
    quickly = {"run_eagerly": how == "eager", "jit_compile": False}
    on_tensorflow = BACKEND == "tensorflow" and how != "jit"
    model.compile(optimizer, loss="mse", **(quickly if on_tensorflow else {}))
    return model


X = _random.normal(size=(64, 4)).astype("float32")
Y = X[:, :1] * X[:, 1:2]


def fit(model: Any, epochs: int = 3, **arguments: Any) -> list[float]:
    """Four steps an epoch; the loss of each epoch."""
    history = model.fit(
        X, Y, batch_size=16, epochs=epochs, shuffle=False, verbose=0, **arguments
    ).history
    return [float(x) for x in history["loss"]]


def saved_and_loaded(model: Any, **arguments: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return keras.models.load_model(path, **arguments)


def assert_same_model(one: Any, other: Any) -> None:
    for a, b in zip(one.variables, other.variables, strict=True):
        np.testing.assert_array_equal(exact(a), exact(b), err_msg=a.path)
    slots = zip(one.optimizer.variables, other.optimizer.variables, strict=True)
    for a, b in slots:
        np.testing.assert_array_equal(exact(a), exact(b), err_msg=a.path)


def refusal(call: Callable[[], Any]) -> str:
    """What a InvalidArgument says."""
    with pytest.raises(InvalidArgument) as caught:
        call()
    return str(caught.value)


class Table(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rates of CHANGING, one a batch."""

    def __call__(self, step: Any) -> Any:
        return ops.take(ops.convert_to_tensor(CHANGING, dtype=keras.config.floatx()), step)


# --- as the natives: more of them walk in natives/test_walked.py ----------------------------------

SHARED = {"beta_1": 0.875, "beta_2": 0.984375}
# Ours, and Keras's of the same algorithm.
PAIRS: dict[str, tuple[Rule, Callable[..., Any]]] = {
    "nesterov": (
        Nesterov(momentum=0.875, dampening=0),
        functools.partial(keras.optimizers.SGD, momentum=0.875, nesterov=True),
    ),
    # Keras adds epsilon before the bias correction: with next to none of it, no matter.
    "adam": (
        Adam(**SHARED, epsilon=1e-30),
        functools.partial(keras.optimizers.Adam, **SHARED, epsilon=1e-30),
    ),
    "nadam": (
        Nadam(**SHARED, epsilon=0.5, momentum_decay=1),
        functools.partial(keras.optimizers.Nadam, **SHARED, epsilon=0.5),
    ),
}


def pair(name: str, **arguments: Any) -> tuple[Any, Any]:
    rule, native = PAIRS[name]
    arguments = {"learning_rate": 2.0**-5} | arguments
    return to_keras(rule, **arguments), native(**arguments)


@check("nesterov")
@check("nadam", on="torch")
def fit_as_the_native(name: str) -> None:
    found, expected = (fit(network(optimizer, "jit")) for optimizer in pair(name))
    assert expected[-1] < expected[0] - 0.01
    # Measured: 6e-8, one rounding of a loss near one. Programs of different text fuse differently.
    assert gap(found, expected) < 1e-6, (found, expected)


ARGUMENTS: dict[str, dict[str, Any]] = {
    "weight_decay": {"weight_decay": 0.25},
    "clipnorm": {"clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.5},
    "global_clipnorm": {"global_clipnorm": 0.5},
    "use_ema": {"use_ema": True, "ema_momentum": 0.75, "ema_overwrite_frequency": 7},
    "gradient_accumulation_steps": {"gradient_accumulation_steps": 4},
    "loss_scale_factor": {"loss_scale_factor": 8.0},
}


@check(
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "gradient_accumulation_steps",
    "loss_scale_factor",
)
def keras_argument(name: str) -> None:
    with float64():
        found, expected = (walk(o, STEPS) for o in pair("nesterov", **ARGUMENTS[name]))
        assert gap(found, expected) < 1e-13  # measured: 2.4e-15
        assert gap(found[:9], plain()) > 1e-3  # it has a say


@check()
def weights_that_a_decay_spares() -> None:
    """A decay of the rule's own spares what Keras is told; on JAX see test_keras_base.py too."""

    def way(optimizer: Any, spared: slice) -> Any:
        stored = variables()
        optimizer.exclude_from_weight_decay(var_list=stored[spared])
        step = compiled(optimizer, stored)
        for t in range(9):
            step([g.astype(keras.config.floatx()) for g in SLOPES[t]])
        return flat(stored)

    rule, native = AdamW(**SHARED, epsilon=1e-30), keras.optimizers.AdamW
    with float64():
        for spared in (slice(0, 0), slice(0, 1), slice(1, None)):
            ours = to_keras(rule.replace({"learning_rate": 2.0**-5, "weight_decay": 0.5}))
            theirs = native(2.0**-5, 0.5, **SHARED, epsilon=1e-30)
            assert gap(way(ours, spared), way(theirs, spared)) < 1e-13
        assert gap(way(to_keras(rule), slice(0, 1)), way(to_keras(rule), slice(0, 0))) > 1e-5


@functools.cache
def plain() -> Any:
    """The way without any such argument."""
    return walk(pair("nesterov")[0], steps=9)


@check("nesterov", "nadam", "averaged", "delayed")
def the_rule_itself_under_a_schedule(name: str) -> None:
    """What NumPy says of the same rule; the variable is where the next gradient is taken."""
    # The defaults: unlike Keras's, our 0.9 is one on TensorFlow too.
    rule = RULES[name]() if name in RULES else getattr(mine(), name.title())()
    with float64():
        stored = variables()
        optimizer = to_keras(rule, learning_rate=Table())
        step = compiled(optimizer, stored)
        ws = [w.copy() for w in START]
        states = [rule.init(w) for w in ws]
        for t in range(1, 25):  # three rounds of the rates
            now, following = (rule.replace({"learning_rate": CHANGING[i]}) for i in (t - 1, t))
            slopes = [w + g for w, g in zip(map(exact, stored), SLOPES[t], strict=True)]
            step(slopes)
            for i, g in enumerate(slopes):
                ws[i], states[i] = now.update(ws[i], g, states[i], float(t))
                ahead = following.lookahead(ws[i], states[i], t + 1.0)
                # Tolerance: one rounding or two a step, of weights of order one.
                np.testing.assert_allclose(exact(stored[i]), ahead, atol=1e-13)
            before = flat(stored)
            with optimizer.settled():
                for i, found in enumerate(stored):
                    use = now.read(ws[i], states[i], float(t))
                    np.testing.assert_allclose(exact(found), use, atol=1e-13)
            np.testing.assert_array_equal(flat(stored), before)


# --- saving -----------------------------------------------------------------------------------


@check()
def resumes_exactly() -> None:
    def made() -> Any:
        schedule = keras.optimizers.schedules.ExponentialDecay(0.05, 4, 0.5)
        return network(to_keras("nesterov", learning_rate=schedule, clipnorm=1.0))

    through, paused = made(), made()
    fit(through, 4)
    fit(paused, 2)
    loaded = saved_and_loaded(paused)
    fit(loaded, 2)
    fit(paused, 2)
    assert_same_model(paused, through)
    assert_same_model(loaded, through)
    assert type(loaded.optimizer) is RuleOptimizer
    assert loaded.optimizer.rule == through.optimizer.rule
    assert loaded.optimizer.get_config() == through.optimizer.get_config()


@check()
def config() -> None:
    optimizer = to_keras(Adam(beta_1=0.8), learning_rate=0.25, clipnorm=1.0, name="mine")
    assert (optimizer.name, to_keras("adam").name) == ("mine", "adam")
    written = keras.optimizers.serialize(optimizer)
    assert written["registered_name"] == "ravine>RuleOptimizer"
    again = keras.optimizers.deserialize(json.loads(json.dumps(written)))
    assert (type(again), again.rule) == (RuleOptimizer, optimizer.rule)
    assert again.get_config() == optimizer.get_config()
    for rule in RULES.values():
        one = to_keras(rule())
        assert RuleOptimizer.from_config(one.get_config()).rule == rule()
    # A rate that a callback set is kept, even one that a rule would not take.
    optimizer.learning_rate = 0.0
    assert float(exact(RuleOptimizer.from_config(optimizer.get_config()).learning_rate)) == 0


def mine() -> Any:
    """The user's module, from a file."""
    if "mine" not in sys.modules:
        folder = tempfile.mkdtemp(prefix="ravine-test-")
        (Path(folder) / "mine.py").write_text(MINE, encoding="utf-8")
        sys.path.insert(0, folder)
    return importlib.import_module("mine")


@check()
def a_rule_of_ones_own() -> None:
    rule = mine().Delayed(share=0.25)
    paused = network(to_keras(rule))
    losses = fit(paused)
    assert losses[-1] < losses[0] - 0.01
    loaded = saved_and_loaded(paused)
    assert loaded.optimizer.rule == rule
    assert fit(loaded) == fit(paused)
    assert_same_model(loaded, paused)

    module = sys.modules.pop("mine")
    try:
        assert refusal(lambda: saved_and_loaded(paused)) == (
            "the saved optimizer follows the rule Delayed of mine, which is not there: "
            "import mine first, or load with custom_objects={'Delayed': Delayed}"
        )
        given = saved_and_loaded(paused, custom_objects={"Delayed": module.Delayed})
        assert type(given.optimizer.rule) is module.Delayed
        # Outside of safe mode the module is imported.
        assert saved_and_loaded(paused, safe_mode=False).optimizer.rule.share == 0.25
    finally:
        sys.modules["mine"] = module


# --- end of training --------------------------------------------------------------------------


@check()
def weights_to_use_at_the_end() -> None:
    rule = mine().Averaged()
    model, other = network(to_keras(rule)), network(to_keras(rule))
    fit(model, 1)
    for i in range(0, 64, 16):
        other.train_on_batch(X[i : i + 16], Y[i : i + 16])
    ahead = flat(other.trainable_variables)
    with other.optimizer.settled():
        # Another graph may round otherwise: float32, weights of order one.
        use = flat(other.trainable_variables)
        np.testing.assert_allclose(flat(model.trainable_variables), use, atol=1e-6)
    np.testing.assert_array_equal(flat(other.trainable_variables), ahead)
    assert gap(use, ahead) > 1e-4


@check()
def the_end_of_fit_forgets_nothing() -> None:
    rule = mine().Averaged()
    with float64():
        paths = []
        for pauses in (False, True):
            stored, optimizer = variables(), to_keras(rule)
            for t in range(10):
                optimizer.apply([ops.convert_to_tensor(g) for g in SLOPES[t]], stored)
                if pauses:
                    optimizer.finalize_variable_values(stored)
            optimizer.finalize_variable_values(stored)
            paths.append(flat(stored))
    # w is the variable plus the offset, rounded anew at each pause.
    assert gap(*paths) < 1e-14


@check()
def an_average_asked_of_keras_stays() -> None:
    with float64():
        for kind in (mine().Averaged(), Nesterov()):
            stored = variables()
            optimizer = to_keras(kind, use_ema=True, ema_momentum=0.5)
            for t in range(3):
                optimizer.apply([ops.convert_to_tensor(g) for g in SLOPES[t]], stored)
            average = flat(optimizer._model_variables_moving_average)
            assert gap(average, flat(stored)) > 1e-4
            optimizer.finalize_variable_values(stored)
            np.testing.assert_array_equal(flat(stored), average)


# --- the variable and the offset ----------------------------------------------------------------


@check()
def what_moves_the_variable_moves_w() -> None:
    with float64():
        stored, optimizer = variables(), to_keras(Nesterov(learning_rate=0.25))
        for t in range(3):
            optimizer.apply([ops.convert_to_tensor(g) for g in SLOPES[t]], stored)
        with optimizer.settled():
            before = flat(stored)
        for variable in stored:
            variable.assign(variable + 0.5)
        with optimizer.settled():
            np.testing.assert_allclose(flat(stored), before + 0.5, atol=1e-15)


@check()
def constraints_hold() -> None:
    model = network(
        to_keras(Nesterov(learning_rate=0.25)), kernel_constraint=keras.constraints.NonNeg()
    )
    fit(model)
    kernels = [exact(layer.kernel) for layer in model.layers]
    assert min(kernel.min() for kernel in kernels) == 0 < max(kernel.max() for kernel in kernels)


@check()
def variables_without_gradient_or_rule() -> None:
    stored, optimizer = variables(), to_keras("nesterov")
    stored[0].overwrite_with_gradient = True  # as float8's scales are
    optimizer.apply([ops.ones(3), ops.ones((1, 2))], stored)
    np.testing.assert_array_equal(exact(stored[0]), 1)
    assert len(optimizer.variables) == 4  # iteration, rate, V and offset
    with optimizer.settled():
        np.testing.assert_array_equal(exact(stored[0]), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of the missing gradient
        optimizer.apply([ops.zeros(3), None][::-1], stored[::-1])


# --- learning rates -----------------------------------------------------------------------------


@check()
def learning_rates() -> None:
    stored, calls = [keras.Variable([1.0])], []

    def rate() -> float:
        calls.append(len(calls))
        return 0.5 if len(calls) == 1 else 0.25

    optimizer = to_keras(SGD(), learning_rate=rate)
    for expected in (0.5, 0.25):
        optimizer.apply([ops.ones(1)], stored)
        assert float(exact(stored[0])[0]) == expected
    assert len(calls) == 2
    assert float(exact(to_keras(SGD(0.125), learning_rate=1).learning_rate)) == 1

    model = network(to_keras(SGD()))
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 2.0**-epoch)
    fit(model, 3, callbacks=[halve])
    assert float(exact(model.optimizer.learning_rate)) == 0.25


@check()
def gathered_gradients_and_the_next_rate() -> None:
    """A schedule counts batches: the point ahead is at the rate of the batch of the next step."""
    with float64():
        stored, rule = [keras.Variable(START[0], dtype="float64")], Nesterov()
        optimizer = to_keras(rule, learning_rate=Table(), gradient_accumulation_steps=3)
        step = compiled(optimizer, stored)
        for t in range(6):
            step([SLOPES[t][0]])
        V = exact(next(v for v in optimizer.variables if v.name.endswith("_V")))
        with optimizer.settled():
            w = exact(stored[0])
        # Steps are taken with batches 3, 6 and 9, counted from 1.
        ahead = w - CHANGING[8] * rule.momentum * V
        np.testing.assert_allclose(exact(stored[0]), ahead, atol=1e-15)


# --- sixteen bits -------------------------------------------------------------------------------


@check()
def narrow_weights_train() -> None:
    for rule, steps in ((Nadam(), 10), (Adam(), 300)):
        stored = [*variables("bfloat16"), *variables("float16")]
        optimizer = to_keras(rule, learning_rate=0.01)
        step, start = compiled(optimizer, stored), flat(stored)
        for t in range(steps):
            step([np.ones(v.shape, "float32") for v in stored])
            if t == 9:
                moved = start - flat(stored)
                # Ten learning rates, each rounded: bfloat16 at 1 to 2⁻⁸, at 2 to 2⁻⁷.
                assert 0.07 < moved.min() <= moved.max() < 0.16, moved
        for v in (v for v in optimizer.variables if v.name.endswith("_v")):
            assert v.dtype == "float32"
            # float32 rounds each step by 6e-8 at most; in bfloat16 v sticks at 0.25.
            np.testing.assert_allclose(exact(v), 1 - 0.999**steps, rtol=300 * 6e-8)


@check("mixed_float16")
@check("mixed_bfloat16", on="jax")
def mixed_precision(policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        # compile() wraps it in a LossScaleOptimizer for float16.
        model = network(pair("nadam" if "b" in policy else "nesterov")[0], "graph")
        assert (type(model.optimizer) is RuleOptimizer) == (policy == "mixed_bfloat16")
        losses = fit(model)
        assert losses[-1] < losses[0] - 0.01, losses
        loaded = saved_and_loaded(model)
        assert fit(loaded) == fit(model)
        assert_same_model(loaded, model)
    finally:
        keras.config.set_dtype_policy("float32")


# --- many variables -----------------------------------------------------------------------------


@check()
def what_spans_variables() -> None:
    stored = [
        keras.Variable(np.zeros(1), dtype=dtype) for dtype in ("float32",) * 2 + ("bfloat16",)
    ]
    step = compiled(to_keras(mine().Bounded(), clipvalue=4.0), stored)
    for _ in range(2):
        step([np.array([g], "float32") for g in (1.0, 2.0, 9.0)])
    expected = -np.array([1, 2, 4]) / np.sqrt(21)
    np.testing.assert_allclose(flat(stored), expected, rtol=2.0**-8)  # bfloat16's
    np.testing.assert_allclose(flat(stored[:2]), expected[:2], rtol=1e-6)


@check()
def what_needs_the_whole_variable() -> None:
    stored = variables()
    step = compiled(to_keras(mine().Alone()), stored)
    step([g.astype("float32") for g in SLOPES[0]])
    for variable, w, g in zip(stored, START, SLOPES[0], strict=True):
        np.testing.assert_allclose(exact(variable), w - 0.5 * g / np.linalg.norm(g), rtol=1e-6)


@check("nesterov", "nadam", "averaged", "delayed", on="torch")
def many_at_once(name: str) -> None:
    from ravine.frameworks import fused_stepper

    rule = RULES[name]() if name in RULES else getattr(mine(), name.title())()
    fused_stepper.STRETCH["cpu"], fused_stepper.LARGE["cpu"] = 64, 32
    shapes = [(2,), (3, 1), (1,)] * 9 + [(31,), (32,), (33,), (64,), (65,), (150,), (12, 11)]
    draw = np.random.default_rng(0)
    starts = [draw.normal(size=shape) for shape in shapes]
    paths = []
    for apart in (False, True):
        types = ["float32", "float32", "bfloat16"]
        stored = [keras.Variable(w, dtype=types[i % 3]) for i, w in enumerate(starts)]
        optimizer = to_keras(rule, learning_rate=Table())
        optimizer.build(stored)
        draw = np.random.default_rng(1)
        for _ in range(5):
            slopes = [ops.cast(draw.normal(size=v.shape), v.dtype) for v in stored]
            if apart:
                optimizer._room.step = lambda rule, t, parts, **how: fused_stepper.Stepped(
                    [], parts
                )
            optimizer.apply(slopes, stored)
        paths.append(flat([*stored, *optimizer.variables]))
    np.testing.assert_array_equal(*paths)


# --- refusals -----------------------------------------------------------------------------------


@check()
def refusals() -> None:
    wrong = "unknown Keras argument 'clip_norm': did you mean 'clipnorm'?"
    assert refusal(lambda: to_keras("adam", clip_norm=1.0)) == wrong
    wrong = "beta_1 is a hyperparameter of adam: give it to the rule, Adam(beta_1=0.8)"
    assert refusal(lambda: to_keras("adam", beta_1=0.8)) == wrong
    wrong = "learning_rate=-1 is not allowed"
    assert wrong in refusal(lambda: to_keras("adam", learning_rate=-1))
    wrong = "learning_rate='fast' is not a number, a schedule or a function"
    assert refusal(lambda: to_keras("adam", learning_rate="fast")) == wrong
    assert "unknown rule 'adm'" in refusal(lambda: to_keras("adm"))
    broken = to_keras("adam").get_config()
    broken["rule"]["values"]["beta_3"] = 0.5
    wrong = "unknown hyperparameter of adam 'beta_3': did you mean 'beta_"
    assert wrong in refusal(lambda: RuleOptimizer.from_config(broken))


# --- what one backend alone has -----------------------------------------------------------------


@check("sgd", "nesterov", "nadam", on="jax")
def stateless_apply(name: str) -> None:
    import jax

    stored, optimizer = variables(), to_keras(RULES[name](learning_rate=2.0**-5))
    optimizer.build(stored)
    slots, weights = [v.value for v in optimizer.variables], [v.value for v in stored]
    function = jax.jit(optimizer.stateless_apply)
    for t in range(5):
        slopes = [ops.convert_to_tensor(g.astype("float32")) for g in SLOPES[t]]
        weights, slots = function(slots, slopes, weights)
        optimizer.apply(slopes, stored)
    assert function._cache_size() == 1  # one program for all steps
    # The compiled program fuses what the other runs one by one.
    assert gap(flat(weights), flat(stored)) < 1e-6
    # A step can be differentiated, as by those who learn the learning rate.
    slope = jax.grad(lambda w: optimizer.stateless_apply(slots, slopes, w)[0][0].sum())(weights)
    np.testing.assert_array_equal(exact(slope[0]), 1)


@check(on="tensorflow")
def embedding() -> None:
    import tensorflow as tf

    slices = tf.IndexedSlices(
        tf.constant([[1.0], [2.0], [4.0]]), tf.constant([2, 0, 2]), tf.constant([3, 1])
    )
    stored = [keras.Variable(np.ones((3, 1), "float32")) for _ in range(2)]
    for variable, g in zip(stored, (slices, tf.constant([[2.0], [0.0], [5.0]])), strict=True):
        to_keras("nadam", clipvalue=100.0).apply([g], [variable])
    np.testing.assert_array_equal(exact(stored[0]), exact(stored[1]))

    losses = []
    for optimizer in pair("adam"):
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Embedding(64, 4), keras.layers.Flatten(), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((2,)), *layers])
        model.compile(optimizer, loss="mse", run_eagerly=True)
        # No word twice in a batch: Keras's Adam adds up squares of a row's gradients, not the
        # square of their sum.
        words = np.arange(128).reshape(64, 2) % 64
        history = model.fit(words, Y, epochs=3, batch_size=16, shuffle=False, verbose=0).history
        losses.append(history["loss"])
    assert gap(*losses) < 1e-5, losses


@check(on="tensorflow")
def raw_variables_built_inside_a_function() -> None:
    import tensorflow as tf

    rule = mine().Delayed()
    raw, stored = [tf.Variable(w) for w in START], variables("float64")
    one, other = to_keras(rule), to_keras(rule)
    function = tf.function(lambda slopes: one.apply_gradients(zip(slopes, raw, strict=True)))
    for t in range(5):
        slopes = [tf.constant(g) for g in SLOPES[t]]
        function(slopes)
        other.apply(slopes, stored)
    assert gap(flat(raw), flat(stored)) < 1e-14


@check(on="tensorflow")
def two_replicas() -> None:
    import tensorflow as tf

    losses = []
    for strategy in (tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), None):
        with strategy.scope() if strategy else nullcontext():
            model = network(
                to_keras("nadam", learning_rate=2.0**-5), "graph" if strategy else "eager"
            )
        losses.append(fit(model))
    # The replicas' halves of a batch are added in another order.
    assert gap(*losses) < 1e-5, losses


def main(target: str) -> None:
    results: dict[str, str | None] = {}
    if BACKEND == "tensorflow":
        import tensorflow as tf

        # Two devices for two replicas; before TensorFlow does anything.
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2
        )
    for name, function in CHECKS.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                # Keras's own, whenever it reads a variable as NumPy 2 has it.
                warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy")
                function()
            results[name] = None
        except Exception:
            results[name] = traceback.format_exc()
    Path(target).write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
