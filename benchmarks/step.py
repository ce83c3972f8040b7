"""How long one optimizer step takes: ours and the native's, in one interleaved run.

python benchmarks/step.py [ROUNDS] [FRAMEWORK ...]; of torch, optax, keras-tensorflow, keras-jax,
keras-torch all, unless some are named. Median and range of at least five rounds, and the ratio to
the native's default, which is taken within each round. A framework is a process of its own;
everybody has as many threads as there are processors to run on. Before anything is timed, ours has
to walk the native's path.

"moved" is what Adam cannot do without: read w, g, m and v, write w, m and v. Its share is of what
this machine moves in a triad (a = b + 3c on arrays that no cache holds), measured in the same
process; a model that fits the cache can be above 100 %.
"""

import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
FRAMEWORKS = ("torch", "optax", "keras-tensorflow", "keras-jax", "keras-torch")
Shape = tuple[int, ...]
Step = Callable[[], None]


def block(width: int) -> list[Shape]:
    """What a transformer's block has: attention, two layers, two norms."""
    square, wide = [(width, 3 * width), (width, width)], [(width, 4 * width), (4 * width, width)]
    vectors = [(3 * width,), (width,), (4 * width,), (width,), *[(width,)] * 4]
    return [*square, *wide, *vectors]


def bottlenecks() -> list[Shape]:
    """ResNet-50: its convolutions, two vectors of a norm after each, and the classifier."""
    convolutions: list[Shape] = [(64, 3, 7, 7)]
    channels = 64
    for width, depth in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for i in range(depth):
            convolutions += [
                (width, channels, 1, 1),
                (width, width, 3, 3),
                (4 * width, width, 1, 1),
            ]
            convolutions += [(4 * width, channels, 1, 1)] * (i == 0)
            channels = 4 * width
    norms = [(shape[0],) for shape in convolutions for _ in range(2)]
    return [*convolutions, *norms, (1000, 2048), (1000,)]


LAYOUTS: dict[str, list[Shape]] = {
    "1 M, transformer": [(1000, 128), *block(128) * 4, (128,), (128,)],
    "25 M, ResNet-50": bottlenecks(),
    "1000 tiny": [(16, 16), (16,)] * 500,
}


def arrays(shapes: list[Shape], seed: int) -> list[Any]:
    """Random numbers of the shapes."""
    import numpy as np

    draw = np.random.default_rng(seed)
    return [draw.standard_normal(shape, dtype="float32") for shape in shapes]


# Keras puts epsilon elsewhere: with next to none of it, all of them are one algorithm.
RATE, EPSILON = 1e-3, 1e-30


def torch_steps(shapes: list[Shape]) -> dict[str, tuple[Step, Callable[[], Any]]]:
    """By name a step, and how to read the weights."""
    import torch

    import ravine

    torch.set_num_threads(THREADS)
    rule = ravine.Adam(RATE, epsilon=EPSILON)
    native = {"lr": RATE, "eps": EPSILON}
    makers: dict[str, Callable[[Any], Any]] = {
        "native default": lambda params: torch.optim.Adam(params, **native),
        "native foreach": lambda params: torch.optim.Adam(params, foreach=True, **native),
        "native fused": lambda params: torch.optim.Adam(params, fused=True, **native),
        "ours": lambda params: ravine.to_torch(rule, params),
        "ours, compile=True": lambda params: ravine.to_torch(rule, params, compile=True),
    }
    steps = {}
    for name, make in makers.items():
        params = [torch.nn.Parameter(torch.from_numpy(w)) for w in arrays(shapes, 0)]
        for p, g in zip(params, arrays(shapes, 1), strict=True):
            p.grad = torch.from_numpy(g)
        steps[name] = (make(params).step, lambda params=params: [p.detach() for p in params])
    return steps


def optax_steps(shapes: list[Shape]) -> dict[str, tuple[Step, Callable[[], Any]]]:
    """Under jit, weights and state given away."""
    import jax
    import jax.numpy as jnp
    import optax

    import ravine

    makers = {
        "native default": optax.adam(RATE, eps=EPSILON),
        "ours": ravine.to_optax(ravine.Adam(RATE, epsilon=EPSILON)),
    }
    steps = {}
    for name, optimizer in makers.items():

        def advance(params: Any, state: Any, slopes: Any, optimizer: Any = optimizer) -> Any:
            updates, state = optimizer.update(slopes, state, params)
            return optax.apply_updates(params, updates), state

        function = jax.jit(advance, donate_argnums=(0, 1))
        held: list[Any] = [[jnp.array(w) for w in arrays(shapes, 0)]]
        held.append(optimizer.init(held[0]))
        slopes = [jnp.array(g) for g in arrays(shapes, 1)]

        def step(function: Any = function, held: Any = held, slopes: Any = slopes) -> None:
            held[:] = jax.block_until_ready(function(*held, slopes))

        steps[name] = (step, lambda held=held: held[0])
    return steps


def keras_steps(shapes: list[Shape]) -> dict[str, tuple[Step, Callable[[], Any]]]:
    """As ``fit`` has them: a graph with and without XLA, a donating jit, or PyTorch's calls."""
    import keras

    import ravine

    backend = keras.backend.backend()
    makers: dict[str, Callable[[], Any]] = {
        "native default": lambda: keras.optimizers.Adam(RATE, epsilon=EPSILON),
        "ours": lambda: ravine.to_keras(ravine.Adam(RATE, epsilon=EPSILON)),
    }
    steps = {}
    for name, make in makers.items():
        for way in ("", ", XLA") if backend == "tensorflow" else ("",):
            optimizer = make()
            variables = [keras.Variable(w) for w in arrays(shapes, 0)]
            optimizer.build(variables)
            slopes = [keras.ops.convert_to_tensor(g) for g in arrays(shapes, 1)]
            step = {"tensorflow": _graph, "jax": _jitted, "torch": _called}[backend]
            steps[name + way] = step(optimizer, variables, slopes, bool(way))
    return steps


def _graph(optimizer: Any, variables: Any, slopes: Any, xla: bool) -> Any:
    import tensorflow as tf

    function = tf.function(lambda: optimizer.apply(slopes, variables), jit_compile=xla)
    return function, lambda: variables


def _jitted(optimizer: Any, variables: Any, slopes: Any, _: bool) -> Any:
    import jax

    function = jax.jit(optimizer.stateless_apply, donate_argnums=(0, 2))
    held = [[v.value for v in optimizer.variables], [v.value for v in variables]]

    def step() -> None:
        weights, slots = jax.block_until_ready(function(held[0], slopes, held[1]))
        held[:] = slots, weights

    return step, lambda: held[1]


def _called(optimizer: Any, variables: Any, slopes: Any, _: bool) -> Any:
    import torch

    torch.set_num_threads(THREADS)
    return lambda: optimizer.apply(slopes, variables), lambda: [v.value.detach() for v in variables]


def bandwidth() -> float:
    """Bytes a second of a triad, by whoever is here to do it; the best of ten."""
    import torch

    torch.set_num_threads(THREADS)
    a, b, c = (torch.ones(2**25) for _ in range(3))
    times = []
    for _ in range(10):
        began = time.perf_counter()
        torch.add(b, c, alpha=3, out=a)
        times.append(time.perf_counter() - began)
    return 12 * 2**25 / min(times)


def check(steps: dict[str, tuple[Step, Callable[[], Any]]]) -> None:
    """Five steps of everybody: the same weights, but for the roundings."""
    import numpy as np

    expected = None
    for name, (step, weights) in steps.items():
        for _ in range(5):
            step()
        found = np.concatenate([np.asarray(w).ravel() for w in weights()])
        expected = found if expected is None else expected
        # Five steps of 1e-3 from weights below 8, whose last bit is 5e-7.
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-6, err_msg=name)


def measure(steps: dict[str, tuple[Step, Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of a step in each round, by name; the next round begins with another one."""
    names = list(steps)
    often = {}
    for name in names:
        began = time.perf_counter()
        steps[name][0]()
        often[name] = max(1, min(200, round(0.02 / (time.perf_counter() - began))))
    times: dict[str, list[float]] = {name: [] for name in names}
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            step, n = steps[name][0], often[name]
            step()  # the caches are another's
            began = time.perf_counter()
            for _ in range(n):
                step()
            times[name].append((time.perf_counter() - began) / n)
    return times


def table(framework: str, rounds: int) -> None:
    """Print the lines of one framework."""
    make = {"torch": torch_steps, "optax": optax_steps}.get(framework, keras_steps)
    peak = bandwidth()
    print(f"{framework}, {THREADS} threads, triad {peak / 1e9:.0f} GB/s", flush=True)
    for layout, shapes in LAYOUTS.items():
        numbers = sum(w.size for w in arrays(shapes, 0))
        steps = make(shapes)
        check(steps)
        moved = 28 * numbers
        print(f"  {layout}: {numbers / 1e6:.2f} M in {len(shapes)}, {moved / 1e6:.1f} MB moved")
        times = measure(steps, rounds)
        for name, taken in times.items():
            middle = statistics.median(taken)
            # A plain step beside the native's plain one, and one under XLA beside its like.
            peer = times["native default" + ", XLA" * name.endswith(", XLA")]
            ratio = statistics.median(a / b for a, b in zip(taken, peer, strict=True))
            print(
                f"    {name:24}{middle * 1e3:8.2f} ms ({min(taken) * 1e3:.2f} to "
                f"{max(taken) * 1e3:.2f}) {ratio:6.2f}x  {moved / middle / peak:5.0%}",
                flush=True,
            )


def main(*arguments: str) -> None:
    """One process a framework, one after the other."""
    for argument in arguments:
        if not argument.isdigit() and argument not in FRAMEWORKS:
            sys.exit(f"{argument}: not one of {', '.join(FRAMEWORKS)}\n\n{__doc__}")
    rounds = next((int(x) for x in arguments if x.isdigit()), 7)
    for framework in [x for x in arguments if not x.isdigit()] or FRAMEWORKS:
        settings = {
            "KERAS_BACKEND": framework.removeprefix("keras-"),
            "OMP_NUM_THREADS": str(THREADS),
            "TF_NUM_INTRAOP_THREADS": str(THREADS),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "JAX_PLATFORMS": "cpu",
        }
        if framework not in ("keras-tensorflow", "keras-jax", "keras-torch"):
            del settings["KERAS_BACKEND"]
        command = [sys.executable, __file__, "--one", framework, str(max(5, rounds))]
        subprocess.run(command, env={**os.environ, **settings}, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        warnings.simplefilter("ignore")
        table(sys.argv[2], int(sys.argv[3]))
    else:
        main(*sys.argv[1:])
