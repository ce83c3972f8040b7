"""The few operations a rule needs beyond + − × ÷, on whatever kind of array it is given.

An argument's own method wins (PyTorch tensors and the tracers of ``explain.notation`` have them);
otherwise the function of the same name in the array's own library is used. No library is imported
that the argument does not already come from.
"""

import functools
import math
import sys
from typing import Any

_NAMESPACES = {
    "numpy": "numpy",
    "ml_dtypes": "numpy",
    "jax": "jax.numpy",
    "jaxlib": "jax.numpy",
    "torch": "torch",
    "tensorflow": "tensorflow",
    "keras": "keras.ops",
    "ravine": "ravine.explain.notation.node",  # the tracer's values, whose library is their module
}


def _namespace(x: Any) -> Any:
    for kind in type(x).__mro__:
        name = _NAMESPACES.get(kind.__module__.partition(".")[0])
        if name is not None:
            # Already imported, or x could not exist; import_module would be the slow way round.
            __import__(name)
            return sys.modules[name]
    raise TypeError(f"no array library known for {type(x).__module__}.{type(x).__name__}")


def _apply(name: str, x: Any, *rest: Any) -> Any:
    method = getattr(x, name, None)
    if method is not None:
        return method(*rest)
    return getattr(_namespace(x), name)(x, *rest)


def is_number(x: Any) -> bool:
    """Whether ``x`` is a plain Python number (NumPy's float64 scalar is an array here)."""
    return type(x) in (float, int)


def sqrt(x: Any) -> Any:
    """Square root, correctly rounded by all but PyTorch; ``x**0.5`` may be off by one bit."""
    return math.sqrt(x) if is_number(x) else _apply("sqrt", x)


def sign(x: Any) -> Any:
    """-1, 0 or 1, elementwise."""
    return float((x > 0) - (x < 0)) if is_number(x) else _apply("sign", x)


def cos(x: Any) -> Any:
    """Cosine of an angle in radians; its last bit is each library's own."""
    return math.cos(x) if is_number(x) else _apply("cos", x)


def norm(x: Any) -> Any:
    """The Euclidean norm of all of an array's elements: one number. Of a number, its size."""
    if is_number(x):
        return abs(x)
    if hasattr(x, "norm"):
        return x.norm()
    namespace = _namespace(x)
    # NumPy's and JAX's stand in linalg alone; all of them take arrays of any shape.
    return (namespace.norm if hasattr(namespace, "norm") else namespace.linalg.norm)(x)


def maximum(x: Any, y: Any) -> Any:
    """The larger of two arrays, elementwise; NaN if either is."""
    return _extreme("maximum", max, x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two arrays, elementwise; NaN if either is."""
    return _extreme("minimum", min, x, y)


def _extreme(name: str, choose: Any, x: Any, y: Any) -> Any:
    if is_number(x) and is_number(y):
        return x + y if math.isnan(x) or math.isnan(y) else choose(x, y)
    if is_number(x):
        x, y = y, x
    if is_number(y) and hasattr(x, "new_full"):  # PyTorch's takes tensors alone
        y = x.new_full((), y)
    return _apply(name, x, y)


def where(condition: Any, x: Any, y: Any) -> Any:
    """``x`` where the condition holds, else ``y``, elementwise."""
    if isinstance(condition, bool):
        return x if condition else y
    return _namespace(condition).where(condition, x, y)


def power(base: Any, exponent: Any) -> Any:
    """``base ** exponent``.

    Plain numbers with a whole exponent are multiplied out by repeated squaring: unlike ``pow``,
    that gives the same bits in every language.
    """
    if not (is_number(base) and is_number(exponent)):
        return base**exponent
    if exponent < 0 or exponent != int(exponent):
        return math.pow(base, exponent)
    result, square, left = 1.0, float(base), int(exponent)
    while left:
        if left & 1:
            result *= square
        square *= square
        left >>= 1
    return result


def dtype_name(x: Any) -> str:
    """``"float32"``, ``"bfloat16"`` … whatever the library; ``"float"`` for a plain number."""
    dtype = getattr(x, "dtype", None)
    return "float" if dtype is None else _name_of(dtype)


@functools.cache  # NumPy puts a name together anew each time, which takes as long as a step
def _name_of(dtype: Any) -> str:
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.")


def cast(x: Any, dtype: str) -> Any:
    """The same values in another floating-point type, named as NumPy names it."""
    if hasattr(x, "astype"):
        return x.astype(dtype)
    namespace = _namespace(x)
    if namespace.__name__ == "torch":
        return x.to(getattr(namespace, dtype))
    return namespace.cast(x, dtype)
