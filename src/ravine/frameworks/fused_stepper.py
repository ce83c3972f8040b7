"""Many arrays in one go: the small ones end to end, the large ones in stretches."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch

from ravine.frameworks.flat_view import Lines, Part, flat
from ravine.frameworks.fused_kernel import compiled, ready
from ravine.frameworks.memory import over
from ravine.frameworks.torch_trace import Element, NotElementwise, Program, ShapeAsked, record
from ravine.rules.ops import cast
from ravine.rules.update_rule import Rule

Columns = list[list[torch.Tensor]]  # for each array of a program the runs it is made of

# How many numbers to treat at once, and how many make an array large. On a processor those of all
# arrays are to stay in its cache between the calls; an accelerator wants few calls.
STRETCH = {"cpu": 2**19, "cuda": 2**22}
LARGE = {"cpu": 2**15, "cuda": 2**20}


def columns(arrays: Sequence[Sequence[torch.Tensor]], kind: str) -> Iterator[Columns]:
    """What to treat at once, of lines that belong together."""
    gathered: list[Sequence[torch.Tensor]] = []
    size = 0
    for lines in arrays:
        length = lines[0].numel()
        if length > LARGE[kind]:
            each = math.ceil(length / math.ceil(length / STRETCH[kind]))
            for stretches in zip(*(torch.split(x, each) for x in lines), strict=True):
                yield [[x] for x in stretches]
            continue
        if size + length > STRETCH[kind]:
            yield [list(column) for column in zip(*gathered, strict=True)]
            gathered, size = [], 0
        gathered.append(lines)
        size += length
    if size:
        yield [list(column) for column in zip(*gathered, strict=True)]


class Stepped(NamedTuple):
    """Which arrays have been stepped; with each the leaves of its state, None for an array."""

    done: list[tuple[Part, list[Any]]]
    alone: list[Part]


class _How(NamedTuple):
    rule: Rule
    following: Rule
    t: Any
    uphill: bool


def _written(how: "_How", part: Part, arrays: Sequence[Any], leaves: list[Any]) -> list[Element]:
    """A step of the rule with elements for arrays; ``leaves`` gets what is no array after it."""
    p, g, *rest = arrays
    elements = iter(rest)
    known = [_take(x, elements) for x in (*part.leaves, part.offset)]
    offset = known.pop()
    each = iter(known)
    w = p if offset is None else p + offset
    state = over(part.built, lambda *_: next(each))
    w, memory = how.rule.update(w, -g if how.uphill else g, state, how.t)
    new: list[Any] = []
    over(memory, lambda _, x: new.append(x))
    if over(memory, lambda name, _: name) != over(part.built, lambda name, _: name):
        raise NotElementwise("a state of another form")
    if [isinstance(x, Element) for x in new] != [isinstance(x, Element) for x in known]:
        raise NotElementwise("an array where there was a number, or the other way round")
    leaves[:] = [None if isinstance(x, Element) else x for x in new]
    found = [x for x in new if isinstance(x, Element)]
    if offset is None:
        return [w, *found]
    point = how.following.lookahead(w, memory, how.t + 1)
    if part.p.dtype != part.dtype:
        point = cast(point, str(part.p.dtype).removeprefix("torch."))
    return [point, *found, w - point]


def _take(x: Any, elements: Iterator[Element]) -> Any:
    return next(elements) if isinstance(x, torch.Tensor) and x.dim() else x


class FusedStepper:
    """Plays programs, in memory that is kept: new memory costs more than the arithmetic."""

    def __init__(self, compile: bool = False) -> None:  # noqa: A002  # as PyTorch's users know it
        self.compile = compile
        self._kept: dict[Any, torch.Tensor] = {}
        self._pieces: dict[Any, tuple[torch.Tensor, ...]] = {}
        self._lines: dict[torch.Tensor, Lines] = {}

    def step(
        self,
        rule: Rule,
        t: Any,
        parts: Iterable[Part],
        *,
        uphill: bool = False,
        following: Rule | None = None,
    ) -> Stepped:
        """Step ``t`` of as many arrays as can be stepped together, which are overwritten.

        ``following`` is the rule as it looks ahead to the next step, if not ``rule``.
        """
        how = _How(rule, following or rule, t, uphill)
        packs: dict[Any, list[tuple[Part, list[torch.Tensor]]]] = {}
        alone: list[Part] = []
        for part in parts:
            kept = self._lines.get(part.p)
            if kept is None or not kept.hold(part):
                kept = self._lines[part.p] = flat(part)
            g = kept.of(part.g, part.p) if kept.lines else None
            if g is None:
                alone.append(part)
            else:
                first, *others = kept.lines
                packs.setdefault(kept.kind(part), []).append((part, [first, g, *others]))
        done: list[tuple[Part, list[Any]]] = []
        for pack in packs.values():
            self._step(how, pack, done, alone)
        return Stepped(done, alone)

    def _step(
        self,
        how: _How,
        pack: list[tuple[Part, list[torch.Tensor]]],
        done: list[tuple[Part, list[Any]]],
        alone: list[Part],
        shaped: bool = False,
    ) -> None:
        first = pack[0][0]
        leaves: list[Any] = []

        def written(*arrays: Element) -> list[Element]:
            return _written(how, first, arrays, leaves)

        try:
            shape = first.p.shape if shaped else None
            program, numbers = record(written, len(pack[0][1]), first.dtype, shape)
        except ShapeAsked:
            shapes: dict[Any, Any] = {}
            for one in pack:
                shapes.setdefault(one[0].p.shape, []).append(one)
            for those in shapes.values():
                self._step(how, those, done, alone, shaped=True)
        except NotElementwise:
            alone += [part for part, _ in pack]
        else:
            self.play(program, numbers, [lines for _, lines in pack], first.dtype)
            done += [(part, leaves) for part, _ in pack]

    def play(
        self,
        program: Program,
        numbers: list[Any],
        arrays: Sequence[Sequence[torch.Tensor]],
        dtype: torch.dtype,
    ) -> None:
        """Overwrite each array's line with what the program makes of it; ``dtype`` computes."""
        device = arrays[0][0].device
        # A compiler leaves a rounding out that is undone at once.
        exact = any(call.name.startswith("round") for call in program.calls)
        given = None
        if self.compile and not exact:
            given = torch.tensor([float(x) for x in numbers], dtype=torch.float64, device=device)
        for runs in columns(arrays, device.type):
            length = sum(x.numel() for x in runs[0])
            works = [self._gather(i, runs[i], length, dtype) for i in range(program.arrays)]
            if given is None or length == 1 or not self._compiled(program, given, works):
                play = ready(program, device.type == "cpu")
                buffers = [
                    self._buffer(("buffer", i), length, torch.bool if truth else dtype, device)
                    for i, truth in enumerate(play.buffers)
                ]
                play.run([*works, *buffers, *play.bound(numbers)])
            for i in program.targets:
                if works[i] is not runs[i][0]:
                    torch._foreach_copy_(runs[i], self._pieces_of(works[i], runs[i]))

    def _gather(
        self, i: int, run: list[torch.Tensor], length: int, dtype: torch.dtype
    ) -> torch.Tensor:
        if len(run) == 1 and run[0].dtype == dtype:
            return run[0]
        work = self._buffer(i, length, dtype, run[0].device)
        return work.copy_(run[0]) if len(run) == 1 else torch.cat(run, out=work)

    def _buffer(
        self, name: Any, length: int, dtype: torch.dtype, device: torch.device
    ) -> torch.Tensor:
        key = (name, dtype, device)
        kept = self._kept.get(key)
        if kept is None or kept.numel() < length:
            kept = self._kept[key] = torch.empty(length, dtype=dtype, device=device)
            self._pieces.clear()
        return kept if kept.numel() == length else kept[:length]

    def _pieces_of(self, work: torch.Tensor, run: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """A buffer cut as a run is; a thousand views cost more than their copies."""
        key = (work.data_ptr(), work.dtype, tuple([x.numel() for x in run]))
        pieces = self._pieces.get(key)
        if pieces is None:
            pieces = self._pieces[key] = torch.split(work, [x.numel() for x in run])
        return pieces

    def _compiled(self, program: Program, numbers: torch.Tensor, works: list[torch.Tensor]) -> bool:
        """Whether that went well; where there is no compiler, it is not tried again."""
        if self.compile:
            try:
                compiled(program)(numbers, *works)
            except Exception:
                self.compile = False
        return self.compile
