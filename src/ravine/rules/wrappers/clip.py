"""Clip: gradients that are too long are shortened before the rule sees them."""

from collections.abc import Sequence

from ravine.errors import InvalidArgument
from ravine.rules.ops import cast, dtype_name, maximum, minimum, norm, sqrt
from ravine.rules.update_rule import Array, State, hyper, rule
from ravine.rules.wrappers.wrapper import Wrapper


@rule
class Clip(Wrapper):
    """Pascanu, Mikolov & Bengio 2013, Algorithm 1. https://arxiv.org/abs/1211.5063

    By the norm of all arrays together, by the norm of each, by each component; where several are
    asked for, in this order.

    Differs: Keras allows one of them at a time; PyTorch adds 1e-6 to the norm.
    """

    changes_gradients = True
    clipnorm: float | None = hyper(
        None, "largest norm of an array's gradient, c", unit="g", valid="> 0"
    )
    clipvalue: float | None = hyper(
        None, "largest component of a gradient, κ", unit="g", valid="> 0"
    )
    global_clipnorm: float | None = hyper(
        None, "largest norm of all gradients together, C", unit="g", valid="> 0"
    )

    def __post_init__(self) -> None:
        if self.clipnorm is self.clipvalue is self.global_clipnorm is None:
            raise InvalidArgument("clip at what? Give clipnorm, clipvalue or global_clipnorm")
        super().__post_init__()

    def together(self, gradients: Sequence[Array]) -> list[Array]:
        if self.global_clipnorm is None or not gradients:
            return self.rule.together(gradients)
        # Of 16 bits a sum of squares would keep nothing, and TensorFlow adds no unlike types.
        kinds = {dtype_name(g) for g in gradients}
        wide = "float64" if "float64" in kinds else "float32"
        narrow = kinds - {"float", "traced", wide}
        gradients = [cast(g, "float32") if "float16" in dtype_name(g) else g for g in gradients]
        norms = [cast(norm(g), wide) if narrow else norm(g) for g in gradients]
        total = sqrt(sum(x * x for x in norms)) if len(norms) > 1 else norms[0]
        scale = self.global_clipnorm / maximum(total, self.global_clipnorm)
        scaled = [g * (cast(scale, dtype_name(g)) if narrow else scale) for g in gradients]
        return self.rule.together(scaled)

    def update(self, w: Array, g: Array, state: State, t: float) -> tuple[Array, State]:
        if self.clipnorm is not None:
            # Of a gradient that is short enough this takes exactly nothing.
            g = g * (self.clipnorm / maximum(norm(g), self.clipnorm))
        if self.clipvalue is not None:
            g = maximum(minimum(g, self.clipvalue), -self.clipvalue)
        return self.rule.update(w, g, state, t)

    @property
    def spans_arrays(self) -> bool:
        return self.global_clipnorm is not None or self.rule.spans_arrays
