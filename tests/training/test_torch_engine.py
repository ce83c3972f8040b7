"""The race in PyTorch walks the path of a plain PyTorch loop with ``torch.optim``."""

from typing import Any

import numpy as np
import pytest
import torch

import ravine
from ravine.errors import InvalidArgument
from ravine.storage.splits import blocks_of
from ravine.training import torch_engine
from ravine.training.programs import Shape, numeric

X = torch.from_numpy(np.random.default_rng(1).normal(size=(60, 4)).astype(np.float32))
Y = torch.arange(60) % 3
STEPS, BATCH = 20, 8


def module() -> Any:
    norm = torch.nn.BatchNorm1d(5)
    return torch.nn.Sequential(torch.nn.Linear(4, 5), norm, torch.nn.Tanh(), torch.nn.Linear(5, 3))


def dropping() -> Any:
    return torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Dropout(0.5), torch.nn.Linear(5, 3))


def advanced(make: Any, rule: Any, width: int, cut: int = 0) -> tuple[Any, Any]:
    """Losses of so many runs, (width, steps), and the rows that they took, in one span or two."""
    task = ravine.Task.from_torch(make, (X, Y), torch.nn.functional.cross_entropy)
    network = torch_engine.network_of(task)
    drawn = [network.draw(seed) for seed in range(width)]
    trainable, state = (
        [np.stack(same) for same in zip(*(d[i] for d in drawn), strict=True)] for i in (0, 1)
    )
    rows = np.random.default_rng(0).integers(0, 36, (width, STEPS, 1, BATCH)).astype(np.int32)
    train, held_out = torch_engine.resident(((X.numpy(), Y.numpy()), [(X.numpy(), Y.numpy())]))
    shape = Shape(width, STEPS, 1, BATCH)
    exported = torch_engine.export(network, rule, shape, drawn[0], None)
    begin, advance = torch_engine.load(exported, lambda: network, rule)
    hyper = {k: np.full(width, v, np.float32) for k, v in numeric(rule).items()}
    lanes, _ = begin(hyper, trainable, state, held_out)
    losses = []
    for first, last in ((0, cut), (cut, STEPS)) if cut else ((0, STEPS),):
        span, part = (np.float32(first), np.int32(last - first)), rows[:, first:last]
        lanes, found, _ = advance(hyper, lanes, span, part, train, held_out)
        losses.append(found)
    return np.concatenate(losses, axis=1), rows


@pytest.mark.parametrize("width", [1, 3], ids=["alone", "as lanes"])
@pytest.mark.parametrize(
    ("rule", "native"),
    [
        (ravine.SGD(learning_rate=0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
        (ravine.Adam(learning_rate=0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
        (  # ε outside of the root, as PyTorch has it
            ravine.RMSprop(learning_rate=0.01, rho=0.9, epsilon=0, epsilon_outside=1e-8),
            lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-8),
        ),
    ],
    ids=["sgd", "adam", "rmsprop"],
)
def test_it_walks_the_path_of_torch_optim(rule: Any, native: Any, width: int) -> None:
    losses, rows = advanced(module, rule, width)
    for seed in range(width):
        torch.manual_seed(seed)
        held = module()
        optimizer, expected = native(held.parameters()), []
        for batch in torch.from_numpy(rows[seed, :, 0]).long():
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(held(X[batch]), Y[batch])
            loss.backward()
            optimizer.step()
            expected.append(loss.item())
        np.testing.assert_allclose(losses[seed], expected, rtol=2e-6)


@pytest.mark.parametrize(("make", "width"), [(module, 1), (module, 3), (dropping, 1)])
def test_a_cut_changes_no_bit(make: Any, width: int) -> None:
    whole, _ = advanced(make, ravine.Adam(learning_rate=0.01), width)
    parts, _ = advanced(make, ravine.Adam(learning_rate=0.01), width, cut=7)
    assert whole.tobytes() == parts.tobytes()
    assert np.isfinite(whole).all()


def test_what_draws_while_it_trains_runs_alone() -> None:
    for make, together in ((module, True), (dropping, False)):
        task = ravine.Task.from_torch(make, (X, Y), torch.nn.functional.cross_entropy)
        network = torch_engine.network_of(task)
        sample = (X[:4].numpy(), Y[:4].numpy())
        assert torch_engine.lanes(network, tuple(network.draw(0)), sample) is together


CROSS = torch.nn.functional.cross_entropy
BAD = {
    "no parameters": (torch.nn.Tanh, CROSS, "Tanh has no parameters to train"),
    "built": (module(), CROSS, "is a Sequential that is built already"),
    "no module": (lambda: 3, CROSS, "gives a int, not a torch.nn.Module"),
    "shape": (
        lambda: torch.nn.Sequential(torch.nn.Linear(5, 3)),
        CROSS,
        r"'0' \(Linear\): Runtime",
    ),
    "sum": (module, torch.nn.CrossEntropyLoss(reduction="sum"), "sums over the rows"),
    "not finite": (module, lambda o, t: o.mean() / 0, "must be finite there"),
    "targets": (module, torch.nn.MSELoss(), "loss fails on the module's output"),
    "double": (lambda: torch.nn.Linear(4, 3).double(), CROSS, "is float64 on cpu"),
    "a class": (module, torch.nn.MSELoss, r"give MSELoss\(\)"),
}


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_trained_is_named(name: str) -> None:
    make, loss, said = BAD[name]
    with pytest.raises(InvalidArgument, match=said):
        torch_engine.network_of(ravine.Task.from_torch(make, (X, Y), loss))


def test_blocks_of_test_rows_are_measured_as_pytorch_measures_them() -> None:
    cross_entropy = torch.nn.functional.cross_entropy
    task = ravine.Task.from_torch(module, (X, Y), cross_entropy)
    network = torch_engine.network_of(task)
    drawn, blocks = network.draw(0), blocks_of(len(X), at_random=True)
    data = (X.numpy(), Y.numpy()), [(X.numpy(), Y.numpy(), blocks)]
    _, held_out = torch_engine.resident(data)
    begin, _ = torch_engine.load([], lambda: network, ravine.SGD())
    lanes = [[array[None] for array in group] for group in drawn]
    _, measures = begin({"learning_rate": np.ones(1, np.float32)}, *lanes, held_out)
    torch.manual_seed(0)
    native_module = module().eval()
    with torch.no_grad():
        native = [
            float(cross_entropy(native_module(X[at]), Y[at])) for at in [slice(None), *blocks]
        ]
    np.testing.assert_allclose(measures[0, :, 0], native, rtol=1e-5)
