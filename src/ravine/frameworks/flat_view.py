"""One weight array in a step of PyTorch's, with its shape taken off."""

import operator
from typing import Any, NamedTuple

import torch

from ravine.rules.update_rule import State

# Where arrays are packed.
KINDS = ("cpu", "cuda")
PLAIN = (torch.Tensor, torch.nn.Parameter)  # what a subclass does with an operation is its own


class Part(NamedTuple):
    """One weight array in a step, and what the rule remembers of it."""

    p: torch.Tensor  # the weights, or the point ahead
    g: torch.Tensor
    built: State  # the rule's state with a name in place of each leaf
    leaves: list[Any]  # in that order
    offset: torch.Tensor | None  # from p to the weights

    @property
    def dtype(self) -> torch.dtype:
        """That of the arithmetic."""
        return torch.float32 if self.p.dtype.itemsize < 4 else self.p.dtype


def line(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor | None:
    """All numbers of a dense array as a view without shape, in the order they have in ``like``."""
    if x.is_contiguous() and like.is_contiguous():
        return x.detach().view(-1)
    if x.stride() != like.stride():
        return None
    order = sorted(range(x.dim()), key=x.stride, reverse=True)
    x = x.detach().permute(order)
    return x.view(-1) if x.is_contiguous() else None


class Lines(NamedTuple):
    """The arrays of a part without shape, which are the same in every step; but for g."""

    lines: list[torch.Tensor]  # none where the part has to be stepped alone
    arrays: list[torch.Tensor]
    places: list[int]
    shape: torch.Size
    plain: list[int]  # which leaves are none
    kept: tuple[Any, ...]

    def hold(self, part: Part) -> bool:
        """Whether the part still has these arrays."""
        found = _arrays(part)
        return (
            len(found) == len(self.arrays)
            and all(map(operator.is_, found, self.arrays))
            and [x.data_ptr() for x in found] == self.places
            and part.p.shape == self.shape
        )

    def of(self, g: torch.Tensor, p: torch.Tensor) -> torch.Tensor | None:
        """The gradient like the others."""
        if g.shape != self.shape or g.device != p.device or type(g) not in PLAIN:
            return None
        # Some write weights into their gradient.
        return None if g.data_ptr() == self.places[0] else line(g, p)

    def kind(self, part: Part) -> tuple[Any, ...]:
        """What the parts of one pack have in common."""
        if not self.plain:
            return self.kept
        leaves = [part.leaves[i] for i in self.plain]
        values = [(type(x), x.item() if isinstance(x, torch.Tensor) else x) for x in leaves]
        return (*self.kept, *values)


def _arrays(part: Part) -> list[torch.Tensor]:
    arrays = [x for x in (part.p, *part.leaves) if isinstance(x, torch.Tensor) and x.dim()]
    return arrays if part.offset is None else [*arrays, part.offset]


def flat(part: Part) -> Lines:
    """The arrays of a part without shape, if it can be one of a pack."""
    p, arrays = part.p, _arrays(part)
    lines: list[torch.Tensor] = []
    # Without dimensions, p leaves it to a learning rate that is a tensor which type they get.
    if p.device.type in KINDS and p.dim():
        for x in arrays:
            alike = x.shape == p.shape and x.device == p.device and type(x) in PLAIN
            one = line(x, p) if alike and (x is p or x.dtype == part.dtype) else None
            if one is None:
                lines = []
                break
            lines.append(one)
    plain = [i for i, x in enumerate(part.leaves) if not any(x is one for one in arrays)]
    kept = (p.dtype, p.device, part.built, tuple(plain), part.offset is None)
    return Lines(lines, arrays, [x.data_ptr() for x in arrays], p.shape, plain, kept)
