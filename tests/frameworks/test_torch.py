"""A rule as a PyTorch optimizer: the path of the rule, and what PyTorch's users expect.

The natives' paths are in natives/test_walked.py and rules/test_natives.py.
"""

import copy
import functools
import importlib
import io
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from ravine.errors import InvalidArgument, RavineError
from ravine.frameworks import fused_kernel, fused_stepper
from ravine.frameworks.fused_stepper import Stepped
from ravine.frameworks.torch import RuleOptimizer, to_torch
from ravine.rules import RULES, Adam, Momentum, Nadam, Nesterov
from ravine.rules.ops import maximum, norm, sign, sqrt, where
from ravine.rules.update_rule import Array, Rule, hyper, rule, step

STEPS = 300


class Trail(NamedTuple):
    mean: Array  # of the weights so far
    last: Array  # gradient
    pace: Array  # one number for the whole array


@rule
class Scout(Rule):
    """A user's own: looks along its last gradient, and reads the mean of where it was.

    It keeps w, in ``init``, and g as they are: in PyTorch both are overwritten in place.
    """

    learning_rate: float = hyper(0.02, "length of a step", unit="w/g", valid="> 0")
    reach: float = hyper(0.5, "how far to look", valid="[0, 1]")

    def init(self, w: Array) -> Trail:
        return Trail(mean=w, last=0 * w, pace=1.0)

    def lookahead(self, w: Array, state: Trail, t: float) -> Array:
        return w - self.learning_rate * self.reach * state.last

    def update(self, w: Array, g: Array, state: Trail, t: float) -> tuple[Array, Trail]:
        pace = 0.5 + 0.5 * state.pace
        w = w - self.learning_rate * pace * g / sqrt(1 + g * g)
        return w, Trail(state.mean + (w - state.mean) / (t + 1), g, pace)

    def read(self, w: Array, state: Trail, t: float) -> Array:
        return state.mean


EVERY = {**RULES, "scout": Scout}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """For arrays this small, threads cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def float64() -> Iterator[None]:
    """PyTorch's own NAdam keeps its running product in the default type."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    layers = [torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)]
    return torch.nn.Sequential(*layers)


def learn(model: torch.nn.Module, t: int) -> torch.Tensor:
    """Leave the gradients of step t's batch, from 1; one batch in 20 is one example."""
    draw = torch.Generator().manual_seed(t)
    x = torch.randn(1 if t % 20 == 0 else 16, 6, generator=draw)
    y = (x @ torch.linspace(-1, 1, 6)).sign().long() + 1
    loss = torch.nn.functional.cross_entropy(model(x), y)
    model.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's has no annotations
    return loss


def noise(model: torch.nn.Module, t: int) -> None:
    draw = torch.Generator().manual_seed(t)
    for p in model.parameters():
        p.grad = torch.randn(p.shape, generator=draw).to(p.dtype)


def wave(t: int) -> float:
    """A learning rate's factor that changes every step, starts at 0 and comes back to it."""
    return float(0.5 - 0.5 * np.cos(2 * np.pi * t / 40))


def walk(
    make: Callable[[Any], torch.optim.Optimizer],
    schedule: Callable[[Any], lr_scheduler.LRScheduler],
) -> np.ndarray:
    """All the weights, after each step."""
    model = network()
    optimizer = make(model.parameters())
    scheduler = schedule(optimizer)
    path = []
    for t in range(1, STEPS + 1):
        learn(model, t)
        optimizer.step()
        scheduler.step()
        path.append(torch.nn.utils.parameters_to_vector(model.parameters()).detach().numpy())
    return np.array(path)


OURS = {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.5}
THEIRS = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 0.5}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "schedule",
    [
        lambda o: lr_scheduler.LambdaLR(o, wave),
        lambda o: lr_scheduler.StepLR(o, step_size=50, gamma=0.3),
        lambda o: lr_scheduler.ExponentialLR(o, gamma=0.99),
        lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=STEPS - 1),
        lambda o: lr_scheduler.SequentialLR(
            o,
            [lr_scheduler.LinearLR(o, 0.01, 1.0, 50), lr_scheduler.PolynomialLR(o, 200)],
            milestones=[50],
        ),
    ],
    ids=["wave", "step", "exponential", "cosine", "warm-up and decay"],
)
def test_under_every_scheduler_a_network_learns_as_by_the_native(schedule: Any) -> None:
    ours = walk(lambda params: to_torch(Nadam(**OURS), params), schedule)
    native = walk(lambda params: torch.optim.NAdam(params, **THEIRS), schedule)
    assert np.abs(native[-1] - native[0]).max() > 0.05
    # The order of operations differs: some 1e-16 a step.
    np.testing.assert_allclose(ours, native, rtol=0, atol=1e-13)


HESSIAN = np.array([[10.0, 2.0, 0.0], [2.0, 6.0, -1.0], [0.0, -1.0, 0.5]])
RATES = 0.02 * (1 + 0.5 * np.sin(np.arange(1, STEPS + 1)))


def slope(w: Any, t: int) -> Any:
    return HESSIAN @ w + np.random.default_rng(t).normal(size=3)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("closed", [False, True], ids=["look_ahead", "closure"])
@pytest.mark.parametrize("name", EVERY)
def test_the_optimizer_walks_the_path_of_its_rule(name: str, closed: bool) -> None:
    """Against ``ravine.step`` on NumPy: gradients at the lookahead of the rate in force."""
    made = EVERY[name]()
    w = np.array([1.0, -0.5, 0.25])
    state = made.init(w)
    p = torch.nn.Parameter(torch.tensor(w))
    optimizer = to_torch(made, [p])
    for t, rate in enumerate(RATES, 1):
        made = made.replace({"learning_rate": rate})
        w, state = step(made, lambda y, t=t: slope(y, t), w, state, t)

        optimizer.param_groups[0]["lr"] = rate

        def closure(t: int = t) -> float:
            assert torch.is_grad_enabled()
            p.grad = torch.tensor(slope(p.detach().numpy(), t))
            return t / 2

        if closed:
            assert optimizer.step(closure) == t / 2
        else:
            optimizer.look_ahead()
            closure()
            optimizer.step()
    with optimizer.settled():
        found = p.detach().numpy().copy()
    # PyTorch and NumPy round alike, but for w: parameter + offset. Measured here: 0.
    np.testing.assert_allclose(found, made.read(w, state, STEPS), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", EVERY)
def test_settled_weights_come_and_go(name: str) -> None:
    model = network()
    optimizer = to_torch(EVERY[name], model.parameters())
    for t in range(1, 4):
        learn(model, t)
        optimizer.step()
    before = copy.deepcopy(model.state_dict())

    def interrupted() -> None:
        with optimizer.settled():
            assert torch.is_grad_enabled()
            moved = not torch.equal(model[0].weight, before["0.weight"])
            assert moved == (EVERY[name].lookahead is not Rule.lookahead)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert all(torch.equal(w, before[name]) for name, w in model.state_dict().items())


def advance(model: Any, optimizer: Any, scheduler: Any, steps: range) -> None:
    for t in steps:
        noise(model, t)
        optimizer.step()
        scheduler.step()


def begin(name: str, dtype: torch.dtype) -> tuple[torch.nn.Module, RuleOptimizer, Any]:
    model = network().to(dtype)
    groups = [{"params": model[0].parameters(), "lr": 0.01}, {"params": model[2].parameters()}]
    optimizer = to_torch(EVERY[name](), groups)
    return model, optimizer, lr_scheduler.StepLR(optimizer, 3, 0.5)


def assert_same(ours: tuple[Any, Any], other: tuple[Any, Any]) -> None:
    """To the last bit, and with a state that no 16-bit weights have narrowed."""
    for p, q in zip(ours[0].parameters(), other[0].parameters(), strict=True):
        assert torch.equal(p, q)
        for key, value in ours[1].state[p].items():
            found = other[1].state[q][key]
            if isinstance(value, torch.Tensor):
                assert value.dtype == found.dtype == torch.float32
                assert torch.equal(value, found)
            else:
                assert value == found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", EVERY)
def test_a_saved_run_resumes_exactly(name: str, dtype: torch.dtype) -> None:
    whole, resumed = begin(name, dtype), begin(name, dtype)
    advance(*whole, range(1, 5))
    file = io.BytesIO()
    torch.save([part.state_dict() for part in whole], file)
    advance(*whole, range(5, 9))

    file.seek(0)
    for part, saved in zip(resumed, torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(saved)
    advance(*resumed, range(5, 9))
    assert_same(whole[:2], resumed[:2])


@pytest.mark.parametrize("name", ["nadam", "scout"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_goes_on_as_the_original(name: str, copied: Callable[[Any], Any]) -> None:
    model, optimizer, scheduler = begin(name, torch.float32)
    advance(model, optimizer, scheduler, range(1, 5))
    # Together, so that the copied optimizer moves the copied weights.
    twin = copied((model, optimizer))
    for both in ((model, optimizer), twin):
        for t in range(5, 9):
            noise(both[0], t)
            both[1].step()
    assert_same((model, optimizer), twin)


def test_a_state_of_another_rule_is_refused() -> None:
    model = network()
    saved = to_torch("sgd", model.parameters()).state_dict()
    with pytest.raises(InvalidArgument, match="no state of adam: it has no 'beta_1'"):
        to_torch("adam", model.parameters()).load_state_dict(saved)


def test_each_group_has_its_hyperparameters() -> None:
    p, q, r = (torch.nn.Parameter(torch.ones(2)) for _ in range(3))
    optimizer = to_torch(
        Momentum(learning_rate=0.5, momentum=0.5), [{"params": [p]}, {"params": [q], "lr": 0.25}]
    )
    optimizer.add_param_group({"params": r, "momentum": 0.0, "dampening": 0.0})
    for w in (p, q, r):
        w.grad = torch.ones(2)
    optimizer.step()
    assert [w[0].item() for w in (p, q, r)] == [0.75, 0.875, 0.5]
    assert {"lr", "momentum", "dampening", "maximize"} <= optimizer.param_groups[0].keys()
    assert "momentum: 0.5" in repr(optimizer)


def test_named_parameters() -> None:
    model = network()
    optimizer = to_torch("adam", model.named_parameters())
    assert optimizer.param_groups[0]["param_names"][0] == "0.weight"


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"beta_1": 1.0}, r"adam: beta_1=1 is not allowed; .* in \[0, 1\)"),
        ({"lr": -0.1}, "learning_rate=-0.1 is not allowed"),
        ({"lr": "fast"}, "learning_rate='fast' is not a number"),
        ({"learning_rate": 0.1}, "spells its learning_rate 'lr'"),
    ],
)
def test_a_wrong_group_is_refused(group: dict[str, Any], message: str) -> None:
    p, q = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = to_torch("adam", [p])
    with pytest.raises(InvalidArgument, match=message):
        optimizer.add_param_group({"params": [q], **group})
    assert len(optimizer.param_groups) == 1
    with pytest.raises(ValueError, match=message):
        to_torch("adam", [{"params": [q], **group}])


def test_a_rate_may_be_a_tensor_or_numpy_s() -> None:
    paths = []
    for rate in (0.25, np.float64(0.25), torch.tensor(0.25)):
        p = torch.nn.Parameter(torch.ones(2))
        optimizer = to_torch(Adam(), [{"params": [p], "lr": rate}])
        lr_scheduler.LinearLR(optimizer, 0.5)
        p.grad = torch.full((2,), 3.0)
        optimizer.step()
        assert p.dtype == torch.float32
        paths.append(p.detach().clone())
    torch.testing.assert_close(paths[0], paths[1], rtol=0, atol=0)
    torch.testing.assert_close(paths[0], paths[2])  # the tensor's rate has seven digits


def test_what_has_no_gradient_rests_and_has_no_state() -> None:
    moved, resting = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = to_torch("nadam", [moved, resting])
    assert not optimizer.state
    place = moved.data_ptr()
    for _ in range(2):
        moved.grad = torch.ones(2)
        optimizer.step()
    assert torch.equal(resting, torch.ones(2))
    assert set(optimizer.state) == {moved}
    assert set(optimizer.state[moved]) == {"step", "memory.m", "memory.v", "memory.product"}
    assert optimizer.state[moved]["step"] == 2
    assert moved.data_ptr() == place
    assert moved.requires_grad
    optimizer.zero_grad()
    assert moved.grad is None


def test_a_rule_may_keep_the_gradient_that_is_overwritten() -> None:
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = to_torch(Scout(), [p])
    p.grad = torch.ones(2)
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    assert torch.equal(optimizer.state[p]["memory.last"], torch.ones(2))
    assert p.grad is not None  # it was zeroed in place


def test_clamped_weights_stay_clamped() -> None:
    """The state keeps an offset, not the weights: who moves the parameters moves these too."""
    p = torch.nn.Parameter(torch.ones(2))
    optimizer = to_torch(Nesterov(learning_rate=0.1), [p])
    for _ in range(3):
        p.grad = torch.ones(2)
        optimizer.step()
        with torch.no_grad():
            p.mul_(0).add_(5)
    offset = optimizer.state[p]["offset"]
    assert (offset > 0).all()
    with optimizer.settled():
        torch.testing.assert_close(p.detach(), 5 + offset)


def test_maximize_climbs() -> None:
    up, down = (torch.nn.Parameter(torch.zeros(3)) for _ in range(2))
    climber = to_torch("adam", [up], maximize=True)
    walker = to_torch("adam", [down])
    for _ in range(3):
        up.grad = down.grad = torch.tensor([1.0, -2.0, 3.0])
        climber.step()
        walker.step()
    assert torch.equal(up, -down)
    assert torch.equal(up.grad, torch.tensor([1.0, -2.0, 3.0]))


def test_a_compiled_step_is_a_step() -> None:
    """Dynamo, let loose on it, mixes up the states of different parameters."""
    models = network(), network()
    compiled, plain = (to_torch("adam", model.parameters()) for model in models)
    for model in models:
        noise(model, 1)
    run = torch.compile(compiled.step, backend="eager")
    for _ in range(4):
        run()
        plain.step()
    assert_same((models[0], compiled), (models[1], plain))


# --- many at once --------------------------------------------------------------------------------


@rule
class Reducing(Rule):
    """A user's own, that needs its whole array: for a norm, a branch on a value, or a neighbour."""

    learning_rate: float = hyper(0.02, "length of a step", unit="w", valid="> 0")
    way: str = "norm"

    def update(self, w: Array, g: Array, state: tuple[()], t: float) -> tuple[Array, tuple[()]]:
        if self.way == "norm":
            return w - self.learning_rate * g / (1 + norm(g)), state
        if self.way == "later":  # what a first look would not show
            return w - self.learning_rate * (g / norm(g) if t > 2 else g), state
        if self.way == "branch":
            return (w - self.learning_rate * g if (g > 0).any() else w), state
        if self.way == "neighbour":
            return w - self.learning_rate * (g + g.flip(0)), state
        if self.way == "power":
            return w - self.learning_rate * abs(g) ** 0.3, state
        return w - self.learning_rate * g.clip(-1, 1), state


@rule
class Shaped(Rule):
    """A user's own: matrices by the sign, all else by the gradient, within bounds."""

    learning_rate: float = hyper(0.02, "length of a step", unit="w", valid="> 0")

    def update(self, w: Array, g: Array, state: tuple[()], t: float) -> tuple[Array, tuple[()]]:
        step = sign(g) if len(w.shape) > 1 else maximum(where(g > 0, 0.5 * g, 2.0), 0.1)
        return w - self.learning_rate * step, state


class Twice(NamedTuple):
    one: Array
    other: Array
    swapped: Array


@rule
class Twin(Rule):
    """A user's own, that keeps one array under two names and hands old ones on."""

    learning_rate: float = hyper(0.02, "length of a step", unit="w/g", valid="> 0")

    def init(self, w: Array) -> Twice:
        zero = 0 * w
        return Twice(zero, zero, zero)

    def update(self, w: Array, g: Array, state: Twice, t: float) -> tuple[Array, Twice]:
        mean = 0.5 * state.one + (1 - 0.5) * g
        w = w - self.learning_rate * (mean + state.other / (1 - state.swapped * state.swapped))
        return w, Twice(mean, state.swapped, state.other + 0.1) if t % 2 else Twice(mean, mean, w)


MANY = {**EVERY, "shaped": Shaped, "twin": Twin}


def mixture(seed: int = 0) -> list[torch.nn.Parameter]:
    """Many tiny arrays, some around the length of a stretch, in every layout and type."""
    draw = torch.Generator().manual_seed(seed)
    shapes: list[tuple[int, ...]] = [(3,), (2, 2), (1,), (), (5, 1)] * 8
    shapes += [(n,) for n in (31, 32, 33, 63, 64, 65, 127, 128, 129, 200)] + [(16, 16)]
    arrays = [torch.randn(shape, generator=draw) for shape in shapes]
    arrays += [torch.randn(8, 6, generator=draw).T, torch.randn(6, generator=draw)[::2]]
    image = torch.randn(2, 3, 4, 4, generator=draw)
    arrays += [image.to(memory_format=torch.channels_last)]
    arrays += [torch.randn(40, generator=draw).to(dtype) for dtype in (torch.float64, torch.half)]
    arrays += [torch.randn(n, generator=draw).bfloat16() for n in (4, 4, 130)]
    return [torch.nn.Parameter(x) for x in arrays]


def trained(made: Rule, apart: bool, **arguments: Any) -> tuple[list[Any], RuleOptimizer]:
    """A mixture after some steps, the parameters one by one or as many at once as may be."""
    params = mixture()
    groups = [{"params": params[::2], "lr": 0.25}, {"params": params[1::2], "maximize": True}]
    optimizer = to_torch(made, groups, **arguments)
    if apart:
        optimizer._room.step = lambda rule, t, parts, **how: Stepped([], parts)  # type: ignore[method-assign]  # what it does where nothing can be packed
    draw = torch.Generator().manual_seed(1)
    for t in range(1, 7):
        for i, p in enumerate(params):
            slope = torch.randn(p.shape, generator=draw).to(p.dtype)
            # As backward leaves it: with the strides of the parameter, where these are dense.
            p.grad = None if (i + t) % 7 == 0 else torch.empty_like(p).copy_(slope)
        optimizer.param_groups[0]["lr"] = 0.25 / t
        optimizer.step()
    return params, optimizer


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fused_stepper.STRETCH, "cpu", 64)
    monkeypatch.setitem(fused_stepper.LARGE, "cpu", 32)


def assert_same_training(one: Any, other: Any) -> None:
    for p, q in zip(one[0], other[0], strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=0, equal_nan=True)
        ours, theirs = one[1].state[p], other[1].state[q]
        assert list(ours) == list(theirs)
        for key, value in ours.items():
            torch.testing.assert_close(value, theirs[key], rtol=0, atol=0, equal_nan=True)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", MANY)
def test_many_at_once_step_as_each_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alone: list[Any] = []
    step_alone = RuleOptimizer._step
    monkeypatch.setattr(
        RuleOptimizer,
        "_step",
        lambda self, rule, p, g: (
            alone.append(p) if self.state.get(p) else None,
            step_alone(self, rule, p, g),
        ),
    )
    together = trained(MANY[name](), apart=False)
    # The scalars, and what has gaps in memory, are alone.
    assert {p.dim() == 0 or p.stride() == (2,) for p in alone} == {True}
    assert_same_training(together, trained(MANY[name](), apart=True))


@pytest.mark.parametrize("way", ["norm", "later", "branch", "neighbour", "power", "clip"])
def test_a_rule_that_needs_whole_arrays_gets_them(way: str) -> None:
    made = Reducing(way=way)
    assert_same_training(trained(made, apart=False), trained(made, apart=True))


def test_weights_that_are_their_own_gradient() -> None:
    made, paths = Momentum(learning_rate=0.5), []
    for shared in (True, False):
        p = torch.nn.Parameter(torch.linspace(1, 2, 5))
        optimizer = to_torch(made, [p])
        for _ in range(4):
            p.grad = p.detach() if shared else p.detach().clone()
            optimizer.step()
        paths.append(p.detach())
    assert torch.equal(*paths)


def test_new_memory_under_a_parameter_is_noticed() -> None:
    paths = []
    for moved in (True, False):
        p = torch.nn.Parameter(torch.linspace(1, 2, 5))
        optimizer = to_torch("adam", [p])
        for t in range(6):
            if moved:
                p.data = p.data.clone()
                optimizer.state[p] = {k: copy.copy(v) for k, v in optimizer.state[p].items()}
                if t > 2:
                    optimizer.state[p]["memory.m"] = optimizer.state[p]["memory.m"].clone()
            p.grad = p.detach().clone()
            optimizer.step()
        paths.append(p.detach())
    assert torch.equal(*paths)


@rule
class Bounded(Rule):
    """A user's own: the norm of all gradients together is one."""

    learning_rate: float = hyper(0.5, "length of a step", unit="w", valid="> 0")

    def together(self, gradients: Sequence[Array]) -> list[Array]:
        length = sqrt(sum((g * g).sum() for g in gradients))
        return [g / length for g in gradients]

    def update(self, w: Array, g: Array, state: tuple[()], t: float) -> tuple[Array, tuple[()]]:
        return w - self.learning_rate * g, state


def test_what_spans_arrays_spans_groups() -> None:
    up, down, resting = (torch.nn.Parameter(torch.zeros(1)) for _ in range(3))
    groups = [
        {"params": [up], "maximize": True},
        {"params": [resting, down], "lr": 1.0},
    ]
    optimizer = to_torch(Bounded(), groups)
    for _ in range(2):
        up.grad, down.grad = torch.tensor([3.0]), torch.tensor([4.0])
        optimizer.step()
    assert [round(p.item(), 6) for p in (up, down, resting)] == [0.6, -1.6, 0.0]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", ["adam", "scout", "shaped"])
def test_compiled_steps_are_the_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    # Dynamo's own backend, as what compiles for the processor is not everywhere.
    monkeypatch.setattr(
        torch, "compile", functools.partial(_counted, calls, torch.compile, backend="eager")
    )
    fused_kernel.compiled.cache_clear()
    compiled = trained(MANY[name](), apart=False, compile=True)
    assert calls
    plain = trained(MANY[name](), apart=True)
    for p, q in zip(compiled[0], plain[0], strict=True):
        # Six steps, each number one rounding away; of weights below 8 or half as fine as that.
        torch.testing.assert_close(p, q, rtol=0, atol=8 * 6 * torch.finfo(p.dtype).eps)
    twin = copy.deepcopy(compiled[1])
    assert twin._room.compile
    fused_kernel.compiled.cache_clear()


def _counted(calls: list[Any], function: Any, *arguments: Any, **named: Any) -> Any:
    calls.append(arguments)
    return function(*arguments, **named)


def test_without_a_compiler_steps_are_taken_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(program: Any) -> Any:
        raise RuntimeError("no C++ compiler found")

    monkeypatch.setattr(fused_stepper, "compiled", no_compiler)
    tried = trained(Adam(), apart=False, compile=True)
    assert not tried[1]._room.compile
    assert_same_training(tried, trained(Adam(), apart=True))


# --- refusals -----------------------------------------------------------------------------------


def test_sparse_gradients_are_refused() -> None:
    table = torch.nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="adam does not support sparse gradients"):
        to_torch("adam", table.parameters()).step()


def test_complex_parameters_are_refused() -> None:
    p = torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))
    p.grad = torch.ones_like(p)
    with pytest.raises(InvalidArgument, match=r"moves real weights, not torch\.complex64"):
        to_torch("adam", [p]).step()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", ["adam", "nadam"])
def test_16_bits_train(name: str, dtype: torch.dtype) -> None:
    p = torch.nn.Parameter(torch.ones(4, dtype=dtype))
    optimizer = to_torch(RULES[name](learning_rate=0.01), [p])
    for t in range(1, 601):
        p.grad = torch.ones(4, dtype=dtype)
        optimizer.step()
        if t == 10:
            # Around 1 the numbers of bfloat16 are 0.004 apart: a step of 0.01 is 0.008 or 0.012.
            np.testing.assert_allclose(p.detach().float(), 0.9, atol=0.02)
    # In bfloat16 it would stick at 0.25; float32 rounds off 600 times 6e-8 of it at most.
    v = optimizer.state[p]["memory.v"]
    assert v.dtype == torch.float32
    np.testing.assert_allclose(v, 1 - 0.999**600, rtol=2e-5)


def test_16_bit_weights_behind_a_lookahead_are_not_rounded_twice() -> None:
    """The offset is in float32 and counts from the rounded parameters, so w keeps its digits."""
    p = torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    optimizer = to_torch(Nesterov(learning_rate=1e-4, momentum=0.5), [p])
    for _ in range(100):
        p.grad = torch.ones_like(p)
        optimizer.step()
    w = p.detach().float() + optimizer.state[p]["offset"]
    np.testing.assert_allclose(w, 1 - 1e-4 * 99, atol=1e-5)


def test_without_pytorch_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "ravine.frameworks.torch")
    with pytest.raises(RavineError, match=r"pip install 'ravine\[torch\]'"):
        importlib.import_module("ravine.frameworks.torch")
