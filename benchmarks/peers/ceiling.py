"""What no library here goes beyond: its products of matrices at these shapes, its memory."""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from peers.setting import Setting

MOVED = 28  # bytes a parameter and step: Adam reads w, g, m and v, writes w, m and v
PIXELS = {"digits-cnn": (64, 16)}  # of what each convolution gives


class Product(NamedTuple):
    """(rows, inner) @ (inner, columns), as the network needs it; ``often`` a step."""

    name: str
    rows: int
    inner: int
    columns: int
    often: float

    @property
    def operations(self) -> float:
        """Of one product."""
        return 2.0 * self.rows * self.inner * self.columns


def products(setting: Setting) -> list[Product]:
    """Those of one training step, and its share of the evaluations.

    A convolution is the product of what its window sees, a row a pixel, and its kernel.
    """
    kernels = [w.shape for w in setting.weights[0] if w.ndim > 1]
    pixels = [*PIXELS.get(setting.subject.task, ()), 1, 1, 1]
    found = []
    for i, ((*inside, b), each) in enumerate(zip(kernels, pixels, strict=False)):
        a, batch = math.prod(inside), setting.rows[0].shape[1] * each
        found += [Product("forward", batch, a, b, 1), Product("weights'", a, batch, b, 1)]
        if i:  # nobody asks for the images' gradient
            found.append(Product("inputs'", batch, b, a, 1))
        for x, _ in setting.held_out:
            found.append(Product("held out", len(x) * each, a, b, 1 / setting.period))
    return found


def prepare(setting: Setting, library: str) -> Callable[[list[int]], list[Any]]:
    """Seconds of each product, and of moving a step's bytes; whatever seeds are asked for."""
    once = {"numpy": _numpy, "torch": _torch, "jax": _jax}[library]

    def measure(seeds: list[int]) -> list[Any]:
        return [([once(p) for p in products(setting)], _moving(setting)) for _ in seeds]

    return measure


def _operands(p: Product) -> tuple[Any, Any]:
    """Laid out as in training: of the gradients' products one operand is a transposed array."""
    draw = np.random.default_rng(0).standard_normal
    a, b = draw((p.rows, p.inner), np.float32), draw((p.inner, p.columns), np.float32)
    if p.name == "weights'":
        a = np.ascontiguousarray(a.T).T
    if p.name == "inputs'":
        b = np.ascontiguousarray(b.T).T
    return a, b


def _numpy(p: Product) -> float:
    a, b = _operands(p)
    out = np.empty((p.rows, p.columns), np.float32)
    return best(lambda: np.matmul(a, b, out=out))


def _torch(p: Product) -> float:
    import torch

    torch.set_num_threads(1)
    a, b = map(torch.from_numpy, _operands(p))
    out = torch.empty(p.rows, p.columns)
    return best(lambda: torch.mm(a, b, out=out))


def _jax(p: Product) -> float:
    import jax
    import jax.numpy as jnp

    first, second = _operands(p)
    turned = first.strides[0] < first.strides[1], second.strides[0] < second.strides[1]
    a, b = (jnp.array(x.T if t else x) for x, t in zip((first, second), turned, strict=True))
    calls = 100

    def body(_: int, carry: Any) -> Any:
        a, b, out = carry
        out = (a.T if turned[0] else a) @ (b.T if turned[1] else b)
        # The next product needs this one, else the compiler would take it out of the loop.
        return a.at[0, 0].add(1e-30 * out[0, 0]), b, out

    loop = jax.jit(lambda carry: jax.lax.fori_loop(0, calls, body, carry))
    carry = (a, b, jnp.zeros((p.rows, p.columns)))

    def call() -> None:
        loop(carry)[0].block_until_ready()

    return best(call) / calls


def _moving(setting: Setting) -> float:
    """A step's bytes at the speed of c = a + b on arrays as large as the network."""
    size = sum(w.size for w in setting.weights[0])
    a, b, c = (np.ones(size, np.float32) for _ in range(3))
    call = best(lambda: np.add(a[:1], b[:1], out=c[:1]))
    return MOVED / 12 * (best(lambda: np.add(a, b, out=c)) - call)


def best(call: Callable[[], Any], seconds: float = 0.05) -> float:
    """Seconds of a call: of many short series the fastest, which nothing disturbed."""
    call()
    began = time.perf_counter()
    call()
    often = max(1, int(1e-3 / (time.perf_counter() - began + 1e-9)))
    fastest, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        for _ in range(often):
            call()
        fastest = min(fastest, (time.perf_counter() - began) / often)
    return fastest
