"""A tape made ready to be played on a run of weights: in few passes, with few buffers."""

import functools
import operator
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from ravine.frameworks.torch_trace import CALLS, TRUTHS, Call, Program


class Play(NamedTuple):
    """Calls on numbered places: of the arrays, then of the buffers, then of plain numbers.

    A call is its function, the places of its arguments, that of a factor (or None), and that of
    its result.
    """

    calls: tuple[tuple[Callable[..., Any], tuple[int, ...], int | None, int], ...]
    buffers: tuple[bool, ...]  # for each whether it holds truths
    numbers: tuple[tuple[int, int], ...]  # index and sign; index -1 is the number 1
    moves: tuple[tuple[int, int], ...]  # from a buffer to where it belongs, when all is done

    def bound(self, numbers: list[Any]) -> list[Any]:
        """The plain numbers, as they lie in their places."""
        known = [*numbers, 1.0]
        return [known[i] if sign > 0 else -known[i] for i, sign in self.numbers]

    def run(self, places: list[Any]) -> None:
        """Overwrite the arrays with what becomes of them."""
        for function, arguments, factor, out in self.calls:
            if factor is None:
                function(*[places[i] for i in arguments], out=places[out])
            else:
                function(*[places[i] for i in arguments], value=places[factor], out=places[out])
        for source, target in self.moves:
            places[target].copy_(places[source])


class _Fused(NamedTuple):
    """A call, some with a plain number as a factor: its index and sign."""

    call: Call
    factor: tuple[int, int] | None = None


@functools.lru_cache
def ready(program: Program, fuse: bool) -> Play:
    """The program with a place for every value.

    A result is written where it belongs once nobody reads the old value any more. A buffer is
    used again by the very call that is the last to read it: few are needed, and stay in the cache.
    """
    count = program.arrays
    calls, results = _separate(program)
    fused = _fuse(calls, results, program.tensors) if fuse else [_Fused(call) for call in calls]
    last = {i: k for k, (call, _) in enumerate(fused) for i in call.arguments}
    last |= dict.fromkeys(results, len(fused))
    home = dict(zip(results, program.targets, strict=True))
    place = {i: i for i in range(count)}
    buffers: list[bool] = []
    free: list[int] = []
    for k, (call, _) in enumerate(fused):
        done = {place[i] for i in call.arguments if i >= 0 and last[i] == k}
        free += [i for i in done if i >= count]
        target = home.get(call.value)
        if target is not None and last.get(target, -1) <= k:
            place[call.value] = target
            continue
        truth = call.name in TRUTHS
        fitting = [i for i in free if buffers[i - count] == truth]
        if fitting:
            free.remove(fitting[-1])
        else:
            fitting.append(count + len(buffers))
            buffers.append(truth)
        place[call.value] = fitting[-1]
    return _assembled(program, fused, home, place, tuple(buffers))


def _separate(program: Program) -> tuple[list[Call], list[int]]:
    """Calls and results, of which no two are the same value and none is that of another array."""
    calls, results = list(program.calls), []
    for value, target in zip(program.results, program.targets, strict=True):
        if value != target and (value < program.arrays or value in results):
            calls.append(Call("clone", (value,), program.arrays + len(calls)))
            results.append(calls[-1].value)
        else:
            results.append(value)
    return calls, results


def _fuse(calls: list[Call], results: list[int], tensors: tuple[bool, ...]) -> list[_Fused]:
    """With ``a ± n·x / y`` as one call wherever its parts are of no other use.

    That rounds as the three calls do. Their like with a product may not: PyTorch was compiled
    to leave out a rounding there.
    """
    made = {call.value: call for call in calls}
    uses = Counter(i for call in calls for i in call.arguments) + Counter(results)
    fused: dict[int, _Fused] = {}
    gone: set[int] = set()

    def inner(value: int, name: str) -> Call | None:
        call = made.get(value)
        return call if call and call.name == name and uses[value] == 1 else None

    for call in calls:
        if call.name not in ("add", "sub"):
            continue
        a, b = call.arguments
        if call.name == "add" and not (b >= 0 and inner(b, "div")):
            a, b = b, a
        quotient = inner(b, "div") if a >= 0 and b >= 0 else None
        if quotient is None or quotient.arguments[1] < 0:
            continue
        x, y = quotient.arguments
        gone.add(b)
        index, sign = -1, 1 if call.name == "add" else -1
        product = inner(x, "mul")
        if product:
            plain = [i for i in product.arguments if i < 0 and not tensors[-1 - i]]
            if plain:
                gone.add(x)
                index = -1 - plain[0]
                x = next(i for i in product.arguments if i >= 0)
        fused[call.value] = _Fused(Call("addcdiv", (a, x, y), call.value), (index, sign))
    return [fused.get(call.value, _Fused(call)) for call in calls if call.value not in gone]


def _assembled(
    program: Program,
    fused: list[_Fused],
    home: dict[int, int],
    place: dict[int, int],
    buffers: tuple[bool, ...],
) -> Play:
    numbers: list[tuple[int, int]] = []
    first = program.arrays + len(buffers)

    def number(index: int, sign: int) -> int:
        numbers.append((index, sign))
        return first + len(numbers) - 1

    calls = []
    for call, factor in fused:
        arguments = tuple([place[i] if i >= 0 else number(-1 - i, 1) for i in call.arguments])
        scaled = None if factor is None else number(*factor)
        calls.append((CALLS[call.name], arguments, scaled, place[call.value]))
    moves = tuple((place[value], t) for value, t in home.items() if place[value] != t)
    return Play(tuple(calls), buffers, tuple(numbers), moves)


@functools.lru_cache
def compiled(program: Program) -> Callable[..., Any]:
    """The program as one function of its plain numbers and its arrays, compiled by PyTorch.

    The numbers are an array, so that one function serves every step and learning rate; so does it
    arrays of any length.
    """
    calls, results = _separate(program)
    graph = torch.fx.Graph()  # no function of ours: PyTorch keeps only so many forms of one
    numbers = graph.placeholder("numbers")
    values = {i: graph.placeholder(f"array_{i}") for i in range(program.arrays)}
    for name, arguments, value in calls:
        inputs = [
            values[i] if i >= 0 else graph.call_function(operator.getitem, (numbers, -1 - i))
            for i in arguments
        ]
        values[value] = graph.call_function(CALLS[name], tuple(inputs))
    for result, target in zip(results, program.targets, strict=True):
        if result != target:
            graph.call_method("copy_", (values[target], values[result]))
    graph.output(None)
    return torch.compile(torch.fx.GraphModule({}, graph), fullgraph=True, dynamic=True)
