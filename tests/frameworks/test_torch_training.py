"""What PyTorch's users put around an optimizer: loss scaling, compiled steps, several processes."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ravine.frameworks.torch import to_torch

RULES = ("adam", "nesterov", "clip(adamw, global_clipnorm=0.5)")
Batch = tuple[torch.Tensor, torch.Tensor]


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def batch(t: int) -> Batch:
    x = torch.tensor(np.random.default_rng(t).normal(size=(8, 4)), dtype=torch.float32)
    return x, x[:, :1] * x[:, 1:2]


def loss_of(model: Any, data: Batch) -> torch.Tensor:
    return torch.nn.functional.mse_loss(model(data[0]), data[1])


def trained(rule: str, step: Callable[[Any, Any, Batch], None], batches: range) -> torch.Tensor:
    """The weights after some steps."""
    model = network()
    optimizer = to_torch(rule, model.parameters())
    for t in batches:
        step(model, optimizer, batch(t))
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


def plain(model: Any, optimizer: Any, data: Batch) -> None:
    optimizer.zero_grad()
    loss_of(model, data).backward()  # type: ignore[no-untyped-call]  # PyTorch's has none
    optimizer.step()


@pytest.mark.parametrize("rule", RULES)
def test_a_grad_scaler_scales_unscales_and_skips(rule: str) -> None:
    """A step whose gradients are not finite is not taken; all others are those without scaling."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    taken = []

    def scaled(model: Any, optimizer: Any, data: Batch) -> None:
        spoilt = len(taken) == 2
        optimizer.zero_grad()
        loss = loss_of(model, data) * (float("inf") if spoilt else 1.0)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # as above
        scaler.step(optimizer)
        scaler.update()
        taken.append(not spoilt)

    found = trained(rule, scaled, range(6))
    assert scaler.get_scale() == 2.0**9

    def without(model: Any, optimizer: Any, data: Batch) -> None:
        if not torch.equal(data[0], batch(2)[0]):
            plain(model, optimizer, data)

    torch.testing.assert_close(found, trained(rule, without, range(6)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_a_compiled_training_step_trains_as_a_plain_one(rule: str) -> None:
    """Traced by Dynamo; without a compiler, which is another test's."""
    torch.compiler.reset()
    found = trained(rule, torch.compile(plain, backend="eager"), range(6))
    torch.testing.assert_close(found, trained(rule, plain, range(6)), rtol=0, atol=1e-6)


def in_halves(rank: int, folder: str) -> None:
    """One of two processes: each takes half of a batch, and saves where it ends."""
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=2,
        timeout=timedelta(minutes=2),  # if the other one fails
    )
    for number, rule in enumerate(RULES):
        model = torch.nn.parallel.DistributedDataParallel(network())
        optimizer = to_torch(rule, model.parameters())
        for t in range(6):
            x, y = batch(t)
            plain(model, optimizer, (x[4 * rank : 4 * rank + 4], y[4 * rank : 4 * rank + 4]))
        found = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
        torch.save(found, f"{folder}/{number}-{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_train_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DistributedDataParallel over gloo, meeting in a file: this process, and another."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    command = [sys.executable, __file__, "1", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as other:
        in_halves(0, str(tmp_path))
        errors = other.communicate()[1]
    assert other.returncode == 0, errors
    for number, rule in enumerate(RULES):
        ends = [torch.load(tmp_path / f"{number}-{rank}.pt") for rank in range(2)]
        assert torch.equal(*ends)
        torch.testing.assert_close(ends[0], trained(rule, plain, range(6)), rtol=0, atol=1e-6)


if __name__ == "__main__":
    in_halves(int(sys.argv[1]), sys.argv[2])
