"""Schedules, chains and old Keras: the natives against the rule that is read, in float64.

Each walks 100 steps in this process, and most schedules end before that.
"""

import functools
import importlib
import inspect
import math
import runpy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
import torch

import ravine
from ravine.errors import InvalidArgument
from ravine.frameworks.translate import read, read_legacy, read_optax, read_schedules
from ravine.frameworks.translate.translation import translation
from ravine.rules.wrappers import Scheduled

WALKING: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("walking.py")))
STEPS: int = WALKING["STEPS"]
pytestmark = [
    pytest.mark.usefixtures("compiled_quickly"),
    pytest.mark.filterwarnings(
        # Keras's own, whenever it reads a variable as NumPy 2 has it; and old Keras's.
        "ignore:__array__ implementation doesn't accept a copy",
        "ignore:The `lr` argument is deprecated",
    ),
]


@contextmanager
def float64() -> Iterator[None]:
    keras.config.set_floatx("float64")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with jax.enable_x64(True):
            yield
    finally:
        keras.config.set_floatx("float32")
        torch.set_default_dtype(before)


def by_optax(text: str, problem: Any) -> Any:
    *before, last = text.split("; ")
    names: dict[str, Any] = {"optax": optax, "ravine": ravine}
    for line in before:
        exec(line, names)
    optimizer = eval(last, names)
    params = [jnp.asarray(w) for w in problem.start]
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    path = []
    for t in range(STEPS):
        updates, state = update([jnp.asarray(s[t]) for s in problem.slopes], state, params)
        params = optax.apply_updates(params, updates)
        path.append(WALKING["flat"](params))
    return np.array(path)


def by_keras(text: str, problem: Any) -> Any:
    variables = [keras.Variable(w, dtype="float64") for w in problem.start]
    optimizer = eval(text, {"keras": keras, "ravine": ravine})
    path = []
    for t in range(STEPS):
        optimizer.apply([jnp.asarray(s[t]) for s in problem.slopes], variables)
        path.append(WALKING["flat"](variables))
    return np.array(path)


def by_torch(text: str, problem: Any) -> Any:
    weights = [torch.tensor(w, requires_grad=True) for w in problem.start]
    names = {"torch": torch, "ravine": ravine, "math": math, "params": weights, "scheduler": None}
    exec(text if "optimizer = " in text else f"optimizer = {text}", names)
    optimizer, scheduler = names["optimizer"], names["scheduler"]
    path = []
    for t in range(STEPS):
        for w, s in zip(weights, problem.slopes, strict=True):
            w.grad = torch.tensor(s[t])
        optimizer.step()  # type: ignore[attr-defined]  # of whatever the text makes
        if scheduler:
            scheduler.step()  # type: ignore[attr-defined]  # as above
        path.append(WALKING["flat"]([w.detach() for w in weights]))
    return np.array(path)


def by_old_keras(text: str, problem: Any) -> Any:
    """What TensorFlow has kept of the optimizers of Keras before 2.11."""
    tf: Any = importlib.import_module("tensorflow")
    home = "tensorflow.python.keras.optimizer_v2"
    kinds = {"SGD": "gradient_descent", "RMSprop": "rmsprop", "Adagrad": "adagrad"}
    kinds |= {"Adam": "adam", "Nadam": "nadam"}
    names = {
        name: getattr(importlib.import_module(f"{home}.{x}"), name) for name, x in kinds.items()
    }
    optimizer = eval(text.rpartition("optimizers.")[2].removeprefix("legacy."), names)
    variables = [tf.Variable(w) for w in problem.start]
    path = []
    for t in range(STEPS):
        gradients = [tf.constant(s[t]) for s in problem.slopes]
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        path.append(WALKING["flat"](variables))
    return np.array(path)


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


_S = "keras.optimizers.schedules"
_C = "r = optax.scale_by_learning_rate(optax.cosine_decay_schedule(0.1, 60))"
_L = "r = optax.scale_by_schedule(optax.linear_schedule(1, 0, 60))"
OPTAX = lines(
    """
    optax.chain(optax.scale_by_adam(b1=0.8, b2=0.95, eps=0.1, eps_root=0.1), optax.scale(-0.02))
    optax.chain(optax.scale_by_adam(0.8, nesterov=True), optax.scale_by_learning_rate(0.02))
    optax.chain(optax.scale_by_amsgrad(b1=0.8), optax.scale_by_learning_rate(0.02))
    optax.chain(optax.scale_by_rms(0.8, eps=0.1, initial_scale=0.5), optax.scale(-0.02))
    optax.chain(optax.scale_by_stddev(0.8, 0.1, eps_in_sqrt=False), optax.scale(-0.02))
    optax.chain(optax.scale_by_rms(0.7, 0.1, bias_correction=True), optax.scale(-0.02))
    optax.rmsprop(0.02, 0.8, eps=0.2, bias_correction=True, eps_in_sqrt=False)
    optax.chain(optax.scale_by_rss(0.2, 0.1), optax.scale(-0.1))
    optax.chain(optax.trace(0.8, nesterov=True), optax.scale(-0.05))
    optax.chain(optax.trace(decay=0.8), optax.scale(0.05), optax.scale(-1))
    optax.chain(optax.identity(), optax.scale(-0.05))
    optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(0.2), optax.scale(-0.02))
    optax.chain(optax.scale_by_adam(), optax.scale(-0.02), optax.add_decayed_weights(-0.01))
    optax.chain(optax.add_decayed_weights(0.2), optax.trace(0.8), optax.scale(-0.02))
    optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(), optax.scale(-0.02))
    optax.chain(optax.adamw(0.02, weight_decay=0.2), optax.scale(0.5))
    optax.chain(optax.scale_by_learning_rate(0.02, flip_sign=False), optax.scale(-1.0))
    lr = 0.02; optax.chain(optax.scale_by_adam(), optax.scale(-lr))
    optax.inject_hyperparams(optax.adam)(learning_rate=0.02, b1=0.8)
    optax.inject_hyperparams(optax.rmsprop, static_args=("eps_in_sqrt",))(0.02, eps_in_sqrt=False)
    optax.inject_hyperparams(optax.adamw)(optax.linear_schedule(0.02, 0.0, 60), weight_decay=0.1)
    optax.adam(optax.constant_schedule(0.02), b1=0.7)
    optax.adam(optax.cosine_decay_schedule(0.02, 60))
    optax.sgd(optax.cosine_decay_schedule(0.05, 60, alpha=0.1), momentum=0.8, nesterov=True)
    optax.adamw(optax.linear_schedule(0.02, 0.001, 60), weight_decay=0.2)
    optax.adagrad(learning_rate=optax.polynomial_schedule(0.1, 0.0, 1, 60))
    optax.adam(optax.exponential_decay(0.02, 10, 0.5))
    optax.adam(optax.exponential_decay(0.02, 10, 0.5, end_value=0.005))
    optax.sgd(optax.piecewise_constant_schedule(0.05, {40: 0.1, 60: 0.1}))
    s = optax.cosine_decay_schedule(0.02, 60); optax.chain(optax.clip(0.3), optax.nadam(s))
    optax.chain(optax.scale_by_adam(), optax.scale_by_schedule(optax.linear_schedule(-0.1, 0, 60)))
    C; optax.chain(optax.add_decayed_weights(0.2), r)
    L; optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(0.2), r, optax.scale(-0.02))
""".replace("C;", f"{_C};").replace("L;", f"{_L};")
)
KERAS = lines(f"""
    keras.optimizers.Adam({_S}.CosineDecay(0.03125, 64))
    keras.optimizers.SGD({_S}.CosineDecay(0.0625, 64, alpha=0.125), momentum=0.75, nesterov=True)
    keras.optimizers.AdamW({_S}.PolynomialDecay(0.03125, 64, 0.0078125), weight_decay=0.125)
    keras.optimizers.RMSprop(learning_rate={_S}.PolynomialDecay(0.03125, 64), momentum=0.5)
    keras.optimizers.Nadam({_S}.ExponentialDecay(0.03125, 16, 0.5))
    keras.optimizers.Adagrad({_S}.InverseTimeDecay(0.125, 16, 0.5))
    keras.optimizers.SGD({_S}.PiecewiseConstantDecay([39, 59], [0.5, 0.125, 0.03125]), 0.75)
""")
_O = "optimizer = torch.optim"
_T = "scheduler = torch.optim.lr_scheduler"
TORCH = lines(f"""
    {_O}.SGD(params, 0.05, 0.8, nesterov=True); {_T}.CosineAnnealingLR(optimizer, T_max=100)
    {_O}.Adam(params, 0.02); {_T}.CosineAnnealingLR(optimizer, 100, eta_min=0.005)
    {_O}.AdamW(params, 0.02, weight_decay=0.1); {_T}.LinearLR(optimizer, 1.0, 0.1, 60)
    {_O}.NAdam(params, 0.02); {_T}.PolynomialLR(optimizer, total_iters=60)
    {_O}.RMSprop(params, 0.02, momentum=0.5); {_T}.ExponentialLR(optimizer, gamma=0.95)
    {_O}.SGD(params, 0.05, 0.8); {_T}.MultiStepLR(optimizer, milestones=[40, 60])
    {_O}.SGD(params, 0.05, weight_decay=0.1); {_T}.MultiStepLR(optimizer, [60, 40], gamma=0.5)
    {_O}.Adagrad(params, 0.1, lr_decay=0.1)
    {_O}.Adagrad(params, 0.1, lr_decay=0.1, weight_decay=0.1)
""")
OLD = lines("""
    tf.keras.optimizers.legacy.SGD(0.0625)
    tf.keras.optimizers.legacy.SGD(0.0625, momentum=0.75, decay=0.125)
    keras.optimizers.SGD(lr=0.0625, decay=0.03125, momentum=0.75, nesterov=True)
    keras.optimizers.legacy.RMSprop(0.03125, rho=0.75, epsilon=0.125)
    keras.optimizers.RMSprop(0.03125, 0.75, epsilon=0.125, decay=0.125)
    keras.optimizers.legacy.RMSprop(0.03125, 0.75, 0.5, epsilon=0.125)
    keras.optimizers.legacy.RMSprop(0.03125, 0.75, epsilon=0.125, centered=True)
    keras.optimizers.legacy.RMSprop(0.03125, 0.75, 0.5, 0.125, True, decay=0.0625)
    keras.optimizers.legacy.Adagrad(0.125, 0.25, 0.125, clipvalue=0.25)
    tf.keras.optimizers.Adagrad(lr=0.125, epsilon=0.5, decay=0.125)
    tf.keras.optimizers.legacy.Adam(0.03125, 0.875, 0.9375, 0.125)
    tf.keras.optimizers.legacy.Adam(0.03125, 0.875, 0.9375, 0.125, amsgrad=True, decay=0.25)
    keras.optimizers.Adam(0.03125, beta_1=0.875, beta_2=0.875, epsilon=0.125, decay=0.125)
    keras.optimizers.legacy.Adam(0.03125, 0.5, 0.875, 0.125, global_clipnorm=0.5, decay=0.125)
    keras.optimizers.legacy.Nadam(0.03125, beta_1=0.875, beta_2=0.9375, epsilon=0.125)
    keras.optimizers.legacy.Nadam(0.03125, 0.875, 0.9375, 0.125, schedule_decay=0.125)
""")
WALKS: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(OPTAX, by_optax),
    **dict.fromkeys(KERAS, by_keras),
    **dict.fromkeys(TORCH, by_torch),
    **dict.fromkeys(OLD, by_old_keras),
}


def agreement(text: str) -> float:
    """Of the way walked."""
    if "legacy.Nadam" in text:
        return 2e-7  # it keeps the product of its momentums in float32
    if WALKS[text] is by_optax and any(x in text for x in ("linear_", "polynom", "exponential_")):
        return 3e-7  # Optax divides counts in float32
    return 2e-8 if "CosineDecay" in text else 1e-11  # Keras's π is float32


@functools.cache
def walked(text: str) -> Any:
    with float64():
        return WALKS[text](text, WALKING["problem_of"](text))


def gap(path: Any, expected: Any) -> float:
    """For gradients of each size, the largest share of the way walked by which paths part."""
    sizes = len(WALKING["SIZES"])
    one, other = (x[:, : 3 * sizes].reshape(STEPS, sizes, 3) for x in (path, expected))
    return float((np.abs(one - other).max((0, 2)) / np.abs(other).max((0, 2))).max())


@pytest.mark.parametrize("text", WALKS)
def test_a_native_walks_as_the_rule_that_is_read(text: str) -> None:
    rule = read(text)[1]
    problem = WALKING["problem_of"](text)
    path = WALKING["by_rule"](rule, np.ones(STEPS), problem)
    assert gap(path, walked(text)) <= agreement(text)


@pytest.mark.parametrize(
    "texts", [OPTAX, KERAS, TORCH, OLD], ids=["optax", "keras", "torch", "old"]
)
def test_no_two_of_these_are_the_same(texts: list[str]) -> None:
    """What is read must have a say in where they end."""
    ends = [walked(text)[-1, :15] for text in texts]
    for i, one in enumerate(ends):
        for other in ends[:i]:
            assert np.abs(one - other).max() > 1e-4


TRANSLATED = [*OPTAX[-3:], KERAS[1], KERAS[4], KERAS[5], TORCH[0], TORCH[7], OLD[2]]


@pytest.mark.parametrize("to", ["optax", "torch", "keras"])
@pytest.mark.parametrize("text", TRANSLATED)
def test_the_translation_walks_as_the_native(text: str, to: str) -> None:
    made, problem = translation(text, to=to), WALKING["problem_of"](text)
    # Where ε is beside the bias correction the native parts in its first steps: see test_walked.py.
    line = made.text if made.exact or made.text == made.ours else made.ours
    assert line == made.text or made.settles
    with float64():
        found = {"optax": by_optax, "torch": by_torch, "keras": by_keras}[to](line, problem)
    # Beyond the last step of a schedule PyTorch's own schedulers go elsewhere.
    until = min(STEPS, int(read(text)[1].values()["steps"]))
    np.testing.assert_allclose(found[:until], walked(text)[:until], rtol=1e-7, atol=1e-8)


# --- what is read, and what is refused ----------------------------------------------------------

NATIVES = {
    "keras": (read_schedules.KERAS, keras.optimizers.schedules, {"LearningRateSchedule"}),
    "optax": (read_schedules.OPTAX, optax.schedules, {"inject_hyperparams"}),
    "torch": (read_schedules.TORCH, torch.optim.lr_scheduler, set()),
}
AROUND = {
    "keras": "keras.optimizers.SGD(keras.optimizers.schedules.{}(0.1))",
    "optax": "optax.sgd(optax.schedules.{}(0.1))",
    "torch": "o = torch.optim.SGD(params); torch.optim.lr_scheduler.{}(o)",
}


def public(module: Any) -> dict[str, Any]:
    """Its schedules: functions in Optax, classes elsewhere."""
    is_one = inspect.isfunction if module is optax.schedules else inspect.isclass
    base = getattr(module, "LRScheduler", object)
    return {
        name: kind
        for name, kind in vars(module).items()
        if name[0] != "_"
        and is_one(kind)
        and "Stateful" not in name
        and (base is object or issubclass(kind, base))
    }


@pytest.mark.parametrize("framework", NATIVES)
def test_every_schedule_is_read_or_refused_by_name(framework: str) -> None:
    known, module, others = NATIVES[framework]
    assert set(known) <= set(public(module))
    for name in set(public(module)) - set(known) - others:
        if "inject" in name:
            continue
        with pytest.raises(
            InvalidArgument, match=f"{name} is none of ravine's schedules: read are"
        ):
            read(AROUND[framework].format(name))


@pytest.mark.parametrize("framework", NATIVES)
def test_a_schedule_has_the_native_s_arguments(framework: str) -> None:
    known, module, _ = NATIVES[framework]
    for name, reader in known.items():
        ours, theirs = (
            {k: p.default for k, p in inspect.signature(x).parameters.items()}
            for x in (reader, getattr(module, name))
        )
        assert ours == theirs, name


@pytest.mark.parametrize("name", read_optax.PARTS)
def test_a_part_of_a_chain_has_the_native_s_arguments(name: str) -> None:
    ours, theirs = (
        {k: p.default for k, p in inspect.signature(x).parameters.items()}
        for x in (read_optax.PARTS[name], getattr(optax, name))
    )
    assert theirs.items() <= ours.items()
    assert set(ours) - set(theirs) <= {"mu_dtype", "accumulator_dtype", "mask"}


@pytest.mark.parametrize("name", read_legacy.READERS)
def test_old_keras_s_optimizers_have_its_arguments(name: str) -> None:
    home = importlib.import_module("tensorflow.python.keras.optimizer_v2.optimizer_v2")
    kinds = {kind.__name__: kind for kind in home.OptimizerV2.__subclasses__()}
    ours, theirs = (
        {k: p.default for k, p in inspect.signature(x).parameters.items()}
        for x in (read_legacy.READERS[name], kinds[name])
    )
    del theirs["kwargs"], theirs["name"]
    assert theirs.items() <= ours.items()
    common = {"decay", "lr", "clipnorm", "clipvalue", "global_clipnorm", "name", "schedule_decay"}
    assert set(ours) - set(theirs) <= common


REFUSED = {
    f"keras.optimizers.Adam({_S}.CosineDecay(0.0, 9, warmup_target=0.1))": "a warm-up",
    f"keras.optimizers.Adam({_S}.ExponentialDecay(0.1, 9, 0.5, staircase=True))": "a staircase",
    f"keras.optimizers.Adam({_S}.ExponentialDecay(0.1, 9, 1.5))": "a factor of 1.5",
    f"keras.optimizers.Adam({_S}.PolynomialDecay(0.1, 9, power=2.0))": "power=2",
    f"keras.optimizers.Adam({_S}.PolynomialDecay(0.1, 9, cycle=True))": "cycles",
    f"keras.optimizers.Adam({_S}.PiecewiseConstantDecay([9], [1.0, 0.1]))": "two equal ones",
    f"keras.optimizers.Adam({_S}.PolynomialDecay(0.1, 9, 0.2))": "a rate that rises",
    f"keras.optimizers.Adam({_S}.CosineDecay(0.1, 0))": "0 steps are too few",
    f"keras.optimizers.Adam({_S}.CosineDecay(0.1, 9), decay=0.1)": "decay and a schedule",
    f"keras.optimizers.Adam(weight_decay={_S}.CosineDecay(0.1, 9))": "weight_decay=",
    "keras.optimizers.Nadam(decay=0.1)": "overwrites it with schedule_decay",
    "keras.optimizers.Adam(decay=-0.1)": "a rate that rises",
    "keras.optimizers.legacy.Adamax()": "none of ravine's",
    "keras.optimizers.legacy.Adam(weight_decay=0.1)": "weight_decay",
    "optax.adam(optax.warmup_cosine_decay_schedule(0.0, 0.1, 9, 99))": "warmup_cosine",
    "optax.adam(optax.linear_schedule(0.0, 0.1, 9))": "a warm-up that begins at 0",
    "optax.adam(optax.linear_schedule(0.1, 0.0, 9, 5))": "a later beginning",
    "optax.adam(optax.cosine_decay_schedule(0.1, 9, exponent=2.0))": "exponent=2",
    "optax.chain(optax.scale_by_adam())": "uphill",
    "optax.chain(optax.scale_by_adam(), optax.scale(0.1))": "uphill",
    "optax.chain(optax.scale_by_adam(), optax.trace(0.9), optax.scale(-0.1))": "second step",
    "optax.chain(optax.scale_by_adam(mu_dtype=jnp.bfloat16), optax.scale(-0.1))": "mu_dtype",
    "optax.chain(optax.sgd(optax.linear_schedule(1, 0, 9)), optax.add_decayed_weights(-0.1))": (
        "does not follow it"
    ),
    "optax.inject_hyperparams(optax.adam, hyperparam_dtype=x)(0.1)": "hyperparam_dtype",
    "o = torch.optim.SGD(params); torch.optim.lr_scheduler.LinearLR(o)": "begins at 0.333333",
    "torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)": "which optimizer is optimizer",
    "o = torch.optim.SGD(params); torch.optim.lr_scheduler.PolynomialLR(o, power=2)": "power=2",
    "o = torch.optim.SGD(params); torch.optim.lr_scheduler.ExponentialLR(o, 0.9, 7)": "last_epoch",
}


@pytest.mark.parametrize(("text", "word"), REFUSED.items())
def test_what_no_schedule_of_ravine_s_expresses_is_named(text: str, word: str) -> None:
    with pytest.raises(InvalidArgument, match=word) as error:
        read(text)
    assert "\n" not in str(error.value)


def test_a_scheduler_is_said_to_be_stepped_every_step() -> None:
    text = "o = torch.optim.SGD(params, lr=0.1); torch.optim.lr_scheduler.ExponentialLR(o, 0.9)"
    assert "after every step" in translation(text, "keras").caveat
    assert not translation("torch.optim.Adagrad(params, lr_decay=0.1)", "keras").caveat
    assert isinstance(read(text)[1], Scheduled)
