"""Every public method and keyword of Keras's optimizers, by its effect on ours and on a native.

Introspection compares this list with ``keras.optimizers.Optimizer``: what a newer Keras adds fails
until somebody decides what it does here. On TensorFlow and PyTorch see keras_backend.py.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from ravine.errors import InvalidArgument
from ravine.frameworks.keras import RuleOptimizer, to_keras
from ravine.rules import Adam, AdamW
from ravine.rules.update_rule import Array, Rule, State, hyper, rule

pytestmark = pytest.mark.filterwarnings(
    # Keras's own, whenever it reads a variable as NumPy 2 has it.
    "ignore:__array__ implementation doesn't accept a copy"
)
Two = tuple[Any, Any]
# Betas that both round alike: to Keras's native they are float32.
MOMENTS = {"beta_1": 0.875, "beta_2": 0.9375}
PLAIN = Adam(learning_rate=0.0625, **MOMENTS, epsilon=0, epsilon_hat=0.125)
DECAYED = {"learning_rate": 0.0625, **MOMENTS, "epsilon": 0.125}
HONOURED: dict[str, tuple[tuple[str, ...], Callable[[], None]]] = {}


def honours(*keywords: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """The check of the method that it is named after, with these keywords."""

    def enter(function: Callable[[], None]) -> Callable[[], None]:
        HONOURED[function.__name__] = keywords, function
        return function

    return enter


def both(**arguments: Any) -> Two:
    """Ours and the native of one algorithm."""
    return to_keras(PLAIN, **arguments), keras.optimizers.Adam(**DECAYED, **arguments)


def decaying() -> Two:
    """The same with a decay that is the rule's own."""
    ours = AdamW(**PLAIN.values(), weight_decay=0.5)
    return to_keras(ours), keras.optimizers.AdamW(**DECAYED, weight_decay=0.5)


def variables() -> list[Any]:
    kernel = keras.Variable([[0.5, -0.25]], name="kernel", trainable=True)
    return [kernel, keras.Variable([1.0], name="bias"), keras.Variable([2.0], name="scale")]


def slopes(t: int) -> list[Any]:
    draw = np.random.default_rng(t)
    return [keras.ops.convert_to_tensor(draw.normal(size=v.shape), "float32") for v in variables()]


def path(optimizer: Any, stored: list[Any] | None = None, steps: int = 5) -> Any:
    stored = variables() if stored is None else stored
    found = []
    for t in range(steps):
        optimizer.apply(slopes(t), stored)
        found.append(np.concatenate([np.ravel(v) for v in stored]))
    return np.array(found)


def assert_alike(pair: Two, walk: Callable[[Any], Any] = path, plain: Any = None) -> None:
    """Both walk alike, and not as without what is checked."""
    found, expected = map(walk, pair)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    if plain is not None:
        assert np.abs(expected - plain).max() > 1e-3


KEYWORDS: dict[str, dict[str, Any]] = {
    "learning_rate": {},
    "weight_decay": {"weight_decay": 0.25},
    "clipnorm": {"clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.25},
    "global_clipnorm": {"global_clipnorm": 0.5},
    "use_ema": {"use_ema": True, "ema_overwrite_frequency": 2},
    "ema_momentum": {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2},
    "ema_overwrite_frequency": {"use_ema": True, "ema_overwrite_frequency": 3},
    "loss_scale_factor": {"loss_scale_factor": 8.0},
    "gradient_accumulation_steps": {"gradient_accumulation_steps": 2},
    "name": {"name": "mine"},
}


def test_the_keywords_are_those_of_every_optimizer() -> None:
    parameters = inspect.signature(keras.optimizers.Optimizer).parameters
    assert set(KEYWORDS) == set(parameters) - {"kwargs"}


@functools.cache
def usual() -> Any:
    return path(both()[1])


@pytest.mark.parametrize("name", KEYWORDS)
def test_a_keyword_does_what_it_does_to_the_native(name: str) -> None:
    ours, native = both(**KEYWORDS[name])
    assert_alike((ours, native), plain=None if name in ("learning_rate", "name") else usual())
    for kept in KEYWORDS:
        if kept not in ("name", "learning_rate"):
            assert getattr(ours, kept) == getattr(native, kept), kept
    if name == "name":
        assert ours.name == "mine"


def test_a_learning_rate_may_be_set_at_any_time() -> None:
    def walk(optimizer: Any) -> Any:
        stored = variables()
        first = path(optimizer, stored)
        optimizer.learning_rate = 0.5
        return np.concatenate([first, path(optimizer, stored)])

    assert_alike(both(), walk)


@honours()
def learning_rate() -> None:
    schedule = keras.optimizers.schedules.CosineDecay(0.25, 4)
    ours, native = both()
    for optimizer in (ours, native):
        optimizer.learning_rate = 0.125
    assert float(ours.learning_rate) == float(native.learning_rate) == 0.125
    arguments = DECAYED | {"learning_rate": schedule}
    pair = to_keras(PLAIN, learning_rate=schedule), keras.optimizers.Adam(**arguments)
    assert_alike(pair, plain=usual())


@honours()
def iterations() -> None:
    for optimizer in both():
        path(optimizer, steps=3)
        assert int(optimizer.iterations) == 3


@honours()
def variables_() -> None:
    ours, native = both()
    for optimizer in (ours, native):
        optimizer.build(variables())
    shapes = [sorted(tuple(v.shape) for v in optimizer.variables) for optimizer in (ours, native)]
    assert shapes[0] == shapes[1]  # the step, the rate and two moments of each


@honours("variables")
def build() -> None:
    for optimizer in both():
        stored = variables()
        optimizer.build(stored)
        count = len(optimizer.variables)
        optimizer.build(stored)
        assert optimizer.built
        assert len(optimizer.variables) == count


@honours("grads", "trainable_variables")
def apply() -> None:
    def walk(optimizer: Any) -> Any:
        stored = variables()
        optimizer.apply(slopes(0), trainable_variables=stored)
        optimizer.apply(slopes(1))
        return np.concatenate([np.ravel(v) for v in stored])

    assert_alike(both(), walk)


@honours("grads_and_vars")
def apply_gradients() -> None:
    def walk(optimizer: Any) -> Any:
        stored = variables()
        optimizer.apply_gradients(zip([*slopes(0)[:2], None], stored, strict=True))
        return np.concatenate([np.ravel(v) for v in stored])

    with pytest.warns(UserWarning, match="Gradients do not exist"):
        assert_alike(both(), walk)


@honours("optimizer_variables", "grads", "trainable_variables")
def stateless_apply() -> None:
    def walk(optimizer: Any) -> Any:
        stored = variables()
        optimizer.build(stored)
        slots, weights = [v.value for v in optimizer.variables], [v.value for v in stored]
        for t in range(3):
            weights, slots = optimizer.stateless_apply(slots, slopes(t), weights)
        return np.concatenate([np.ravel(w) for w in weights])

    assert_alike(both(), walk)


@honours("gradient", "variable", "learning_rate")
def update_step() -> None:
    def walk(optimizer: Any) -> Any:
        stored = variables()
        optimizer.build(stored)
        optimizer.update_step(slopes(0)[0], stored[0], keras.ops.convert_to_tensor(0.25))
        return np.ravel(stored[0])

    assert_alike(both(), walk)


@honours("var_list", "var_names")
def exclude_from_weight_decay() -> None:
    def walk(names: list[str], place: int | None, optimizer: Any) -> Any:
        stored = variables()
        listed = None if place is None else [stored[place]]
        optimizer.exclude_from_weight_decay(var_list=listed, var_names=names)
        return path(optimizer, stored)

    every = path(decaying()[1])
    for names, place in ((["bias", "scale"], None), ([], 0), (["bias"], 2)):
        assert_alike(decaying(), functools.partial(walk, names, place), plain=every)
        assert_alike(both(weight_decay=0.5), functools.partial(walk, names, place))


@rule
class Rotting(Rule):
    """A rule that cannot do without its decay."""

    learning_rate: float = hyper(0.1, "length of a step", unit="w/g", valid="> 0")
    weight_decay: float = hyper(0.1, "share of w", valid="> 0")

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        return w - self.learning_rate * (g + self.weight_decay * w), state


def test_a_decay_that_cannot_be_0_is_not_spared_silently() -> None:
    with pytest.raises(InvalidArgument, match="exclude_from_weight_decay: rotting: weight_decay=0"):
        to_keras(Rotting()).exclude_from_weight_decay(var_names=["bias"])


@honours()
def get_config() -> None:
    for name, arguments in KEYWORDS.items():
        ours, native = (optimizer.get_config() for optimizer in both(**arguments))
        shared = set(native) - {"beta_1", "beta_2", "epsilon", "amsgrad", "name"}
        assert {k: ours[k] for k in shared} == {k: native[k] for k in shared}, name
        if name == "name":
            assert ours["name"] == native["name"] == "mine"


@honours("config", "custom_objects")
def from_config() -> None:
    for name, arguments in KEYWORDS.items():
        ours = to_keras(PLAIN, **arguments)
        again = RuleOptimizer.from_config(ours.get_config(), custom_objects=None)
        np.testing.assert_array_equal(path(again), path(ours), err_msg=name)
    config = to_keras(Rotting()).get_config()
    custom = {"Rotting": Rotting}
    assert RuleOptimizer.from_config(config, custom_objects=custom).rule == Rotting()


def resumed(hand_over: Callable[[Any, Any], None]) -> None:
    """Five steps are two, a hand over to a new optimizer, and three."""
    expected = path(both()[0])
    ours, second = both()[0], both()[0]
    stored = variables()
    path(ours, stored, 2)
    second.build(stored)
    hand_over(ours, second)
    for t in range(2, 5):
        second.apply(slopes(t), stored)
    found = np.concatenate([np.ravel(v) for v in stored])
    np.testing.assert_array_equal(found, expected[-1])


@honours("weights")
def set_weights() -> None:
    resumed(lambda one, other: other.set_weights([v.numpy() for v in one.variables]))
    for optimizer in both():
        with pytest.raises(ValueError, match="not yet been built"):
            optimizer.set_weights([])


def stored_in_between(one: Any, other: Any) -> None:
    store: dict[str, Any] = {}
    one.save_own_variables(store)
    other.load_own_variables(store)


@honours("store")
def save_own_variables() -> None:
    resumed(stored_in_between)


@honours("store")
def load_own_variables() -> None:
    for optimizer in both():
        optimizer.build(variables())
        with pytest.warns(UserWarning, match="Skipping variable loading"):
            optimizer.load_own_variables({})


@honours("var_list")
def finalize_variable_values() -> None:
    def walk(optimizer: Any) -> Any:
        stored = variables()
        path(optimizer, stored)
        optimizer.finalize_variable_values(stored)
        return np.concatenate([np.ravel(v) for v in stored])

    assert_alike(both(), walk)
    assert_alike(both(use_ema=True, ema_momentum=0.5), walk, plain=walk(both()[1]))


@honours("loss")
def scale_loss() -> None:
    for optimizer in both(loss_scale_factor=8.0):
        assert float(optimizer.scale_loss(keras.ops.convert_to_tensor(2.0))) == 16


@honours("variable", "value")
def assign() -> None:
    for way, right in (("assign", 2.0), ("assign_add", 3.0), ("assign_sub", -1.0)):
        for optimizer in both():
            variable = keras.Variable(1.0)
            getattr(optimizer, way)(variable, keras.ops.convert_to_tensor(2.0))
            assert float(variable) == right


HONOURED["assign_add"] = HONOURED["assign_sub"] = HONOURED["assign"]


@honours("shape", "initializer", "dtype", "aggregation", "layout", "name")
def add_variable() -> None:
    made = [
        optimizer.add_variable((2,), "ones", "float16", "mean", None, name="mine")
        for optimizer in both()
    ]
    for key in ("shape", "dtype", "aggregation", "name"):
        assert getattr(made[0], key) == getattr(made[1], key)
    np.testing.assert_array_equal(made[0], [1, 1])


@honours("reference_variable", "name", "initializer")
def add_variable_from_reference() -> None:
    like = variables()[0]
    made = [
        optimizer.add_variable_from_reference(reference_variable=like, name="m", initializer="ones")
        for optimizer in both()
    ]
    assert made[0].name == made[1].name
    np.testing.assert_array_equal(made[0], [[1, 1]])


@honours("trainable_variables", "name", "initializer")
def add_optimizer_variables() -> None:
    made = [
        optimizer.add_optimizer_variables(variables(), name=["a", "b"], initializer="ones")
        for optimizer in both()
    ]
    assert [[v.name for v in x] for x in made[0]] == [[v.name for v in x] for x in made[1]]


def public(kind: Any) -> dict[str, tuple[str, ...]]:
    """The public methods and properties of a class, with their keywords."""
    found = {}
    for name in dir(kind):
        if name.startswith("_"):
            continue
        value = getattr(kind, name)
        parameters = inspect.signature(value).parameters if callable(value) else {}
        found[name] = tuple(p for p in parameters if p != "self")
    return found


def test_nothing_public_is_unchecked() -> None:
    listed = {name.rstrip("_"): keywords for name, (keywords, _) in HONOURED.items()}
    assert public(keras.optimizers.Optimizer) == listed


@pytest.mark.parametrize("name", HONOURED)
def test_a_method_does_what_the_native_s_does(name: str) -> None:
    HONOURED[name][1]()


def test_a_hyperparameter_may_be_set_as_on_the_native() -> None:
    ours, native = both()
    for optimizer in (ours, native):
        assert optimizer.beta_1 == 0.875
        optimizer.beta_1 = 0.25
    assert_alike((ours, native), plain=usual())
