"""The peers, and the ways to run each: the fastest way found is the peer's."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from peers.fleet import Way
from peers.setting import Subject

NARROW, WIDE, CNN = Subject("digits-mlp", 64), Subject("digits-mlp", 256), Subject("digits-cnn")
EXPERT = "JAX + Optax, jitted scan"


class Peer(NamedTuple):
    """``goals``: how many times its speed ours has to have."""

    text: str
    ways: tuple[Way, ...]
    goals: Mapping[Subject, float] = {}
    tasks: tuple[str, ...] = (NARROW.task, CNN.task)  # that it has been written for


ONE_THREAD = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
# A chunk of 4 runs hides the message, and leaves little to wait for at the end.
SCANS = (
    Way("pinned", "jax_scan", {}, ONE_THREAD, chunk=4),
    Way("pinned, XLA's own flags", "jax_scan", {}, {}, chunk=4),
    Way("a process, 2 threads", "jax_scan", {"threads": 2}, ONE_THREAD, processes=1, chunk=0),
    Way("a process, XLA's threads", "jax_scan", {}, {}, processes=1, chunk=0),
)
LANES = tuple(
    Way(f"pinned, {n} lanes", "jax_scan", {"lanes": n}, ONE_THREAD, chunk=max(4, n))
    for n in (2, 4, 8)
)
# The model is as Keras calls it, and so is its convolution.
NAIVE = tuple(
    way._replace(options={"written": "as_keras"}, chunk=1, runs=1 / 4) for way in SCANS[:2]
)


def fit(backend: str, executions: tuple[int, ...]) -> tuple[Way, ...]:
    """The ways of ``fit``: with XLA, as Keras decides here, or without; a process a core or one."""
    environment: dict[str, str] = {"KERAS_BACKEND": backend}
    ways = []
    for steps in executions:
        for text, jit in (("", True), (", no XLA", False)):
            if backend == "jax" and not jit:
                continue  # it always compiles
            for where, processes in (("pinned", 0), ("a process", 1)):
                options: dict[str, Any] = {"steps_per_execution": steps, "jit": jit}
                named = f"{where}, {steps} a call{text}"
                way = Way(named, "keras_fit", options, environment, processes, runs=1 / 32)
                ways.append(way._replace(same_masks=backend == "jax"))
    return tuple(ways)


def _peers(subject: Subject, period: int) -> dict[str, Peer]:
    # An execution cannot span two evaluations.
    tuned = tuple(n for n in (99, 33, 10, 5) if n <= period and period % n == 0) or (1,)
    repetitions = {
        tool: (Way("pinned, a repetition each", "search", {"tool": tool}, env, chunk=0),)
        for tool, env in (
            ("optuna", ONE_THREAD),
            ("keras-tuner", {**ONE_THREAD, "KERAS_BACKEND": "jax"}),
        )
    }
    scans = SCANS if subject == CNN else SCANS + LANES
    loop = (Way("pinned", "torch_loop", {}, {}, runs=1 / 32),)
    lanes = (Way("pinned, 32 lanes", "torch_loop", {"lanes": 32}, {}, chunk=32, least=32),)
    dense, tensorflow = (NARROW.task,), {NARROW: 50.0, CNN: 5.0}
    return {
        "expert": Peer(EXPERT, scans, {NARROW: 1.0, WIDE: 1.0, CNN: 1.0}),
        "naive": Peer("that scan, the Keras model as it is", NAIVE, {CNN: 5.0}, (CNN.task,)),
        "optuna": Peer("Optuna driving the first scan", repetitions["optuna"]),
        "keras-tuner": Peer("KerasTuner driving the first scan", repetitions["keras-tuner"]),
        "torch-vmap": Peer("PyTorch, torch.func.vmap", lanes, {NARROW: 4.0}, dense),
        "torch": Peer("PyTorch, eager loop, fused Adam", loop, {NARROW: 12.0}, dense),
        "keras-jax": Peer("Keras fit on JAX, tuned", fit("jax", tuned)),
        "keras-jax-default": Peer("Keras fit on JAX", fit("jax", (1,))),
        "keras-tf": Peer("Keras fit on TensorFlow, tuned", fit("tensorflow", tuned), tensorflow),
        "keras-tf-default": Peer("Keras fit on TensorFlow", fit("tensorflow", (1,))),
    }


def roster(subject: Subject, period: int) -> dict[str, Peer]:
    """By the name that ``--only`` takes, those who know the network."""
    known = _peers(subject, period).items()
    return {name: peer for name, peer in known if subject.task in peer.tasks}


PEERS = list(_peers(NARROW, 1))
