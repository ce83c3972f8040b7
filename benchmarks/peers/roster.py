"""The peers, and the ways to run each: the fastest way found is the peer's."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from peers.fleet import Way


class Peer(NamedTuple):
    """``goals``: by width, how many times its speed ours has to have."""

    text: str
    ways: tuple[Way, ...]
    goals: Mapping[int, float] = {}


ONE_THREAD = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
# A chunk of 4 runs hides the message, and leaves little to wait for at the end.
SCANS = (
    Way("pinned", "jax_scan", {}, ONE_THREAD, chunk=4),
    Way("pinned, XLA's own flags", "jax_scan", {}, {}, chunk=4),
    Way("pinned, 2 lanes", "jax_scan", {"lanes": 2}, ONE_THREAD, chunk=4),
    Way("pinned, 4 lanes", "jax_scan", {"lanes": 4}, ONE_THREAD, chunk=4),
    Way("pinned, 8 lanes", "jax_scan", {"lanes": 8}, ONE_THREAD, chunk=8),
    Way("a process, 2 threads", "jax_scan", {"threads": 2}, ONE_THREAD, processes=1, chunk=0),
    Way("a process, XLA's threads", "jax_scan", {}, {}, processes=1, chunk=0),
)


def fit(backend: str, executions: tuple[int, ...]) -> tuple[Way, ...]:
    """The ways of ``fit``: with XLA or as Keras decides, a process a core or one for all."""
    environment: dict[str, str] = {"KERAS_BACKEND": backend}
    ways = []
    for steps in executions:
        for text, jit in (("", "auto"), (", XLA", True)):
            if backend == "jax" and text:
                continue  # it always compiles
            for where, processes in (("pinned", 0), ("a process", 1)):
                options: dict[str, Any] = {"steps_per_execution": steps, "jit": jit}
                named = f"{where}, {steps} a call{text}"
                ways.append(Way(named, "keras_fit", options, environment, processes, runs=1 / 32))
    return tuple(ways)


def roster(period: int) -> dict[str, Peer]:
    """By the name that ``--only`` takes. An execution cannot span two evaluations."""
    tuned = tuple(n for n in (99, 33, 10, 5) if n <= period and period % n == 0) or (1,)
    studies = {
        tool: (Way("pinned, a study each", "search", {"tool": tool}, env, chunk=0),)
        for tool, env in (
            ("optuna", ONE_THREAD),
            ("keras-tuner", {**ONE_THREAD, "KERAS_BACKEND": "jax"}),
        )
    }
    loop = (Way("pinned", "torch_loop", {}, {}, runs=1 / 32),)
    lanes = (Way("pinned, 32 lanes", "torch_loop", {"lanes": 32}, {}, chunk=32, least=32),)
    return {
        "expert": Peer("JAX + Optax, jitted scan", SCANS, {64: 1.0, 256: 1.0}),
        "optuna": Peer("Optuna driving that scan", studies["optuna"]),
        "keras-tuner": Peer("KerasTuner driving that scan", studies["keras-tuner"]),
        "torch-vmap": Peer("PyTorch, torch.func.vmap", lanes, {64: 4.0}),
        "torch": Peer("PyTorch, eager loop, fused Adam", loop, {64: 12.0}),
        "keras-jax": Peer("Keras fit on JAX, tuned", fit("jax", tuned)),
        "keras-jax-default": Peer("Keras fit on JAX", fit("jax", (1,))),
        "keras-tf": Peer("Keras fit on TensorFlow, tuned", fit("tensorflow", tuned), {64: 50.0}),
        "keras-tf-default": Peer("Keras fit on TensorFlow", fit("tensorflow", (1,))),
    }
