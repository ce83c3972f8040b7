"""Racing on a GPU, as far as a machine without one can tell; test_ray.py has a whole race."""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np
import pytest
from torch import nn

import ravine
from ravine.errors import InvalidArgument
from ravine.execution.gpu_backend import GpuBackend
from ravine.execution.worker_backend import told
from ravine.experiment import engines
from ravine.experiment.plan import TaskInfo, lanes
from ravine.rules import RULES
from ravine.tasks import find
from ravine.tasks.task import Task
from ravine.training import gpu_engine
from ravine.training.engine import network_of
from ravine.training.programs import Shape


@pytest.fixture
def none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever machine the tests are run on."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")


@pytest.mark.usefixtures("none")
def test_without_a_gpu_that_is_said(tmp_path: Path) -> None:
    out = tmp_path / "race"
    with pytest.raises(
        InvalidArgument, match=r"JAX finds no GPU on .*'ravine\[cuda\]'.*--device gpu"
    ):
        ravine.race("diabetes-linear", device="gpu", out=out, progress=False)
    assert not out.exists()


def test_another_device_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="unknown device 'gpus': did you mean 'gpu'"):
        ravine.race("diabetes-linear", device="gpus")
    with pytest.raises(InvalidArgument, match="unknown device '0'"):
        ravine.race("diabetes-linear", device=0)  # type: ignore[arg-type]


def test_a_module_of_pytorch_is_not_raced_on_a_gpu() -> None:
    rows = np.zeros((40, 3), np.float32), np.zeros((40, 1), np.float32)
    task = ravine.Task.from_torch(lambda: nn.Linear(3, 1), rows, nn.MSELoss())
    with pytest.raises(InvalidArgument, match="PyTorch trains on the CPU here"):
        ravine.race(task, device="gpu")


class Squares(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        import torch

        return torch.square(x)


def test_a_model_that_is_bound_to_a_framework_is_not_raced_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere it would be raced in that framework, on the CPU."""
    monkeypatch.setattr(engines, "PLATFORM", "cpu")

    def make_model() -> Any:
        return keras.Sequential([keras.Input((3,)), Squares(), keras.layers.Dense(1)])

    rows = np.zeros((40, 3), np.float32), np.zeros((40, 1), np.float32)
    out = tmp_path / "race"
    with pytest.raises(InvalidArgument, match=r"Keras on PyTorch, .* trains on the CPU here"):
        ravine.race(make_model, rows, loss="mse", device="gpu", out=out, progress=False)
    assert not out.exists()


def test_a_worker_has_a_gpu_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two devices, with JAX told to use the CPU in their place."""
    monkeypatch.setattr(engines, "PLATFORM", "cpu")
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    backend = GpuBackend(None, {"engine": engines.GPU})
    assert backend.slots() == 2
    assert backend.place().machine["gpu"] == "2 × cpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    hired = [backend.spawn(slot, lambda *_: None) for slot in range(2)]
    try:
        found = [Path(f"/proc/{worker.pid}/environ").read_text("utf-8") for worker in hired]
    finally:
        for worker in hired:
            worker.kill()
    assert "\0CUDA_VISIBLE_DEVICES=4\0" in found[0]
    assert "\0CUDA_VISIBLE_DEVICES=7\0" in found[1]
    with pytest.raises(InvalidArgument, match=r"workers=3 is not allowed: .* has 2 × cpu"):
        GpuBackend(3, {"engine": engines.GPU})


@pytest.mark.parametrize(
    ("name", "rule"),
    [*(("line", rule) for rule in RULES), ("digits-mlp", "adam"), ("digits-cnn", "sgd")],
)
def test_programs_can_be_lowered_for_cuda(
    compiled_quickly: None,
    name: str,
    rule: str,
    tiny_task: Task,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All that can be known without a GPU: XLA's own lowering for it has no objection.

    Each rule on a line, and each kind of layer with one of them; all with all compiles
    ``benchmarks/gpu_programs.py``.
    """
    monkeypatch.setattr(jax.export, "export", partial(jax.export.export, platforms=["cuda"]))
    found = tiny_task if name == "line" else find(name)
    network, data = network_of(found), found.load()
    held_out = [(split.x, split.y) for split in data[1:]]
    given: Any = (data.train.x, data.train.y), held_out
    shape = Shape(width=16, periods=2, period=3, batch_size=32)
    precision = told(engines.GPU)["JAX_DEFAULT_MATMUL_PRECISION"]
    with jax.default_matmul_precision(precision):
        exported = gpu_engine.export(network, RULES[rule](), shape, tuple(network.draw(0)), given)
    for one in exported:
        program = jax.export.deserialize(bytearray(one))
        assert program.platforms == ("cuda",)
        products = [x for x in program.mlir_module().splitlines() if "stablehlo.dot" in x]
        assert products
        assert all("HIGHEST" in product for product in products), "none is rounded to TF32"


def test_a_gpu_has_more_lanes_and_none_for_nobody() -> None:
    facts = TaskInfo(5_000, (1_000, 200, 200), ("loss",), "", operations=3e4)
    gpu = facts._replace(engine=engines.GPU)
    assert lanes(facts, 1e6, at_once=64) == 8
    assert lanes(gpu, 1e6, at_once=64) == 64
    assert lanes(gpu, 1e6, at_once=32) == 32
    assert lanes(gpu._replace(parameters=10_000_000), 1e10, at_once=64) == 4
