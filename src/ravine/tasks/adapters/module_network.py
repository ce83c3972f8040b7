"""A PyTorch module as functions of its weights. Imports PyTorch."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.func import functional_call

from ravine.errors import InvalidArgument
from ravine.tasks.adapters.augmenting import in_order
from ravine.tasks.adapters.failures import line_of
from ravine.tasks.adapters.keras_network import Weights
from ravine.tasks.adapters.own_task import OwnTask
from ravine.tasks.adapters.pytree import leaves, mapped
from ravine.tasks.adapters.reference_evaluation import ByWeights, Scores
from ravine.tasks.adapters.variables import Variable, of_torch
from ravine.tasks.saved import MODULE, Saved

AT_ONCE = 256  # rows of a split that are predicted in one call

Tensors = Sequence[torch.Tensor]


class ModuleNetwork:
    """What ``intake.Network`` is of a Keras model, of tensors.

    ``state`` holds what is not trained, frozen parameters and buffers, and last, of a module that
    draws while it trains, the seed of its run.
    """

    framework = "PyTorch"  # whose evaluation is compared with a race's

    def __init__(self, task: OwnTask) -> None:
        torch.set_num_threads(1)
        self._task = task
        self._floats: torch.dtype = getattr(torch, task.floats)
        self.measures: tuple[str, ...] = ("loss", *task.metrics)
        self.taken = ()  # layers that are pretrained: it has none
        # Two, as to switch one to and fro costs every step a walk through it.
        self._training, self._judging = self._built(0).train(), self._built(0).eval()
        parameters = dict(self._training.named_parameters())
        self.names = [name for name, p in parameters.items() if p.requires_grad]
        self._others = [name for name, p in parameters.items() if not p.requires_grad]
        self._others += [name for name, _ in self._training.named_buffers()]
        self._check(parameters)
        self._check_augment()
        self.random = self._draws() or task.augment is not None

    @property
    def held(self) -> int:
        """How many arrays the state has."""
        return len(self._others) + self.random

    @property
    def variables_there(self) -> tuple[Variable, ...]:
        """Parameters and buffers, to be compared with those of another process."""
        return of_torch(self._training)

    @property
    def config(self) -> str:
        """The module and its parameters, and what it computes of a few rows: what decides results.

        To a few digits, as another processor has other last ones.
        """
        drawn = self.draw(0)
        held = [hashlib.sha256(a.tobytes()).hexdigest() for a in drawn.trainable]
        trainable, state = tensors(drawn.trainable), tensors(drawn.state)
        x, y = self._sample()
        scores = [f"{float(v):.4g}" for v in self.score(y, self.predict(trainable, state, x))]
        for w in trainable:
            w.requires_grad_()
        self.seed(state, 0)
        loss, _ = self.loss(trainable, state, x, y)
        slopes = torch.autograd.grad(loss, trainable, allow_unused=True)
        scores += [f"{float(loss.detach()):.4g}"]
        scores += [f"{float(g.norm()):.3g}" for g in slopes if g is not None]
        text = re.sub("0x[0-9a-f]+", "", repr(self._training))  # addresses in memory
        return str(["torch", text, self.names, self._others, held, scores])

    def draw(self, seed: int) -> Weights:
        """Initial weights: what ``torch.manual_seed(seed); make_module()`` gives."""
        module = self._built(seed)
        found = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        arrays = {name: tensor.detach().numpy().copy() for name, tensor in found.items()}
        state = [arrays[name] for name in self._others]
        if getattr(self, "random", True):
            state.append(np.array(seed, np.int64))
        return Weights([arrays[name] for name in self.names], state)

    def loss(self, trainable: Tensors, state: Tensors, x: Any, y: Any) -> tuple[Any, list[Any]]:
        """Mean loss of a batch in training, and the new state."""
        # A copy: what batch normalisation writes into is its own.
        held = {name: one.clone() for name, one in zip(self._others, state, strict=False)}
        weights = dict(zip(self.names, trainable, strict=True))
        given = self._given(self._augmented(x))
        output = functional_call(self._training, {**weights, **held}, given)
        loss = self._task.loss(output, self._task.targets(y)).mean()
        return loss, [*held.values(), *state[len(held) :]]

    def predict(self, trainable: Tensors, state: Tensors, x: Any, at_once: int = AT_ONCE) -> Any:
        """What the module makes of rows, not in training, so many at once."""
        held = dict(zip([*self.names, *self._others], [*trainable, *state], strict=False))
        rows, parts = len(leaves(x)[0]), []
        with torch.no_grad():
            for begin in range(0, rows, at_once):
                part = mapped(lambda a, b=begin: a[b : b + at_once], x)  # type: ignore[misc]  # at once
                parts.append(functional_call(self._judging, held, self._given(part)))
        if len(parts) == 1:
            return parts[0]
        if isinstance(parts[0], torch.Tensor):
            return torch.cat(parts)
        each = [torch.cat(same) for same in zip(*map(leaves, parts), strict=True)]
        return torch.utils._pytree.tree_unflatten(  # the nest that the module returns
            each, torch.utils._pytree.tree_structure(parts[0])
        )

    def score(self, y: Any, output: Any) -> Any:
        """Mean loss and metrics of what was predicted, in the order of ``measures``."""
        functions = (self._task.loss, *self._task.metrics.values())
        targets = self._task.targets(y)
        with torch.no_grad():
            return torch.stack(
                [torch.as_tensor(f(output, targets)).to(self._floats).mean() for f in functions]
            )

    def framework_scores(self, held_out: Any, training: Any) -> ByWeights:
        """Loss and metrics of a few rows by the module itself, called as its user calls it."""
        module, task = self._built(0), self._task

        def called(train: bool, rows: Any) -> list[Any]:
            x, y = (mapped(tensor, part) for part in rows)
            x = self._augmented(x) if train else x
            output, targets = module.train(train)(*self._given(x)), task.targets(y)
            functions = (task.loss, *task.metrics.values())
            return [torch.as_tensor(f(output, targets)).to(self._floats).mean() for f in functions]

        def at(trainable: Sequence[Any], state: Sequence[Any]) -> Scores:
            held = tensors(state)
            with torch.no_grad():
                self._put(module, trainable, state)
                self.seed(held, 0)
                scores = [float(value) for value in called(False, held_out)]
                self.seed(held, 1)
                return Scores(scores, float(called(True, training)[0]))

        return at

    def _augmented(self, x: Any) -> Any:
        """A batch to train on, augmented by what the seed of a step draws."""
        if (augment := self._task.augment) is None:
            return x
        with torch.no_grad():
            given = self._task.inputs(x)
            found = in_order(given, augment(given, torch.default_generator))
        return found if isinstance(x, list | tuple) else found[0]

    def _check_augment(self) -> None:
        """Raises ``InvalidArgument`` for an augmentation that gives no batch, or draws
        by itself.
        """
        if self._task.augment is None:
            return
        x, found = self._sample()[0], []
        for _ in range(2):
            torch.manual_seed(0)
            try:
                found.append(leaves(self._augmented(mapped(torch.clone, x))))
            except Exception as error:
                raise InvalidArgument(
                    f"augment failed: {line_of(error)}: it is called with a batch of inputs and a "
                    "torch.Generator"
                ) from error
        wanted, given = (", ".join(map(_said, part)) for part in (leaves(x), found[0]))
        if wanted != given:
            raise InvalidArgument(
                f"augment gives {given} for {wanted}: give a batch of the same shape and dtype, "
                "such as y.to(x.dtype)"
            )
        if not all(map(torch.equal, *found)):
            raise InvalidArgument(
                "augment draws elsewhere than from PyTorch's generator, so that no race could be "
                "repeated: use torch.rand and the like"
            )

    def seed(self, state: Tensors, t: float) -> None:
        """Have step ``t`` of a run draw what it draws under every rule, and after every pause."""
        if self.random:
            seed_step(int(state[-1]), int(t))

    def save(self, trainable: Sequence[Any], state: Sequence[Any], folder: Path) -> Saved:
        """Write the module's ``state_dict``."""
        module = self._built(0)
        self._put(module, trainable, state)
        torch.save(module.state_dict(), folder / MODULE)
        return Saved(MODULE)

    def _put(self, module: Any, trainable: Sequence[Any], state: Sequence[Any]) -> None:
        values = dict(zip([*self.names, *self._others], [*trainable, *state], strict=False))
        found = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        with torch.no_grad():
            for name, value in values.items():
                found[name].copy_(torch.as_tensor(np.asarray(value)))

    def _given(self, x: Any) -> tuple[Any, ...]:
        """What the module is called with: a list of inputs are its arguments."""
        x = self._task.inputs(x)
        return tuple(x) if isinstance(x, list | tuple) else (x,)

    def _built(self, seed: int) -> Any:
        torch.manual_seed(seed)
        try:
            module: Any = self._task.make_model()
        except InvalidArgument:
            raise
        except Exception as error:
            raise InvalidArgument(f"make_module failed: {line_of(error)}") from error
        if not isinstance(module, torch.nn.Module):
            raise InvalidArgument(
                f"make_module gives a {type(module).__name__}, not a torch.nn.Module: return the "
                "module from the function"
            )
        if torch.initial_seed() != seed:
            raise InvalidArgument(
                "make_module seeds PyTorch itself, so that all seeds would begin alike: leave out "
                "torch.manual_seed, the race seeds it for every run"
            )
        if any(map(torch.nn.parameter.is_lazy, module.parameters())):
            self._called(module, "the module")  # which learns its shapes so
        return module

    def _sample(self) -> tuple[Any, Any]:
        return tuple(mapped(tensor, part) for part in self._task.sample)

    def _called(self, module: Any, what: str) -> Any:
        x, _ = self._sample()
        try:
            return module(*self._given(x))
        except Exception as error:
            given = ", ".join(map(_said, leaves(x)))
            where = _where(module, error)
            raise InvalidArgument(
                f"{what} fails on x of {given}: {where}{line_of(error)}"
            ) from error

    def _check(self, parameters: dict[str, Any]) -> None:
        """Raises ``InvalidArgument`` for what cannot be trained, before anything is."""
        if not self.names:
            kind = type(self._training).__name__
            raise InvalidArgument(f"{kind} has no parameters to train: give it a layer that has")
        for name, p in parameters.items():
            if p.dtype not in (torch.float32, self._floats) or p.device.type != "cpu":
                raise InvalidArgument(
                    f"parameter '{name}' is {str(p.dtype).removeprefix('torch.')} on {p.device}: "
                    "races are in float32 on the CPU, or in float64 if that is PyTorch's default "
                    "(torch.set_default_dtype); leave out .half(), .double(), .to(…)"
                )
        torch.manual_seed(0)
        output = self._called(self._training, "the module")
        x, y = self._sample()
        functions = {"loss": self._task.loss, **self._task.metrics}
        for what, function in functions.items():
            self._check_value(what, function, output, self._task.targets(y), len(leaves(x)[0]))
        loss = self._task.loss(output, self._task.targets(y)).mean()
        if not loss.requires_grad:
            raise InvalidArgument(
                "the loss depends on no parameter that is trained: no gradient reaches any"
            )

    def _check_value(self, what: str, function: Any, output: Any, y: Any, rows: int) -> None:
        try:
            value = function(output, y)
            torch.as_tensor(value)
        except Exception as error:
            outputs, targets = (", ".join(map(_said, leaves(part))) for part in (output, y))
            raise InvalidArgument(
                f"{what} fails on the module's output {outputs} and the targets {targets}: "
                f"{line_of(error)}"
            ) from error
        value = torch.as_tensor(value).detach()
        if tuple(value.shape) not in ((), (rows,)):
            raise InvalidArgument(
                f"{what} gives {_said(value)}: return a number a row, or their mean"
            )
        if not torch.isfinite(value.float()).all():
            raise InvalidArgument(
                f"{what} is {float(value.float().mean()):g} before step one, on the first rows: it "
                "must be finite there"
            )
        if value.ndim or not isinstance(output, torch.Tensor) or not isinstance(y, torch.Tensor):
            return
        twice = float(function(torch.cat([output, output]), torch.cat([y, y])).detach())
        if abs(twice - 2 * float(value)) < 1e-4 * abs(twice) and abs(twice) > 1e-6:
            raise InvalidArgument(
                f"{what} sums over the rows, so that it grows with the batch: use "
                "reduction='mean', or 'none'"
            )

    def _draws(self) -> bool:
        """Whether the module draws random numbers while it trains, as dropout does."""
        module = self._built(0).train()
        before = torch.get_rng_state()
        self._called(module, "the module")
        return not torch.equal(before, torch.get_rng_state())


def seed_step(seed: int, t: int) -> None:
    """Have PyTorch draw what belongs to step ``t`` of a run of that seed."""
    (word,) = np.random.SeedSequence([seed, t]).generate_state(1, np.uint64)
    torch.manual_seed(int(word) >> 1)


def tensor(array: Any) -> torch.Tensor:
    """An array as PyTorch's functions like it: whole numbers that were narrowed are int64 again."""
    found = torch.from_numpy(np.array(array))
    return found.long() if found.dtype == torch.int32 else found


def tensors(arrays: Sequence[Any]) -> list[torch.Tensor]:
    """Several, whose types stay as they are."""
    return [torch.from_numpy(np.array(array)) for array in arrays]


def _said(array: Any) -> str:
    kind = str(getattr(array, "dtype", type(array).__name__)).removeprefix("torch.")
    return f"{tuple(getattr(array, 'shape', ()))} {kind}"


def _where(module: Any, error: Exception) -> str:
    """Which part of a module failed, the innermost that has a name."""
    names = {id(part): name for name, part in module.named_modules() if name}
    found, step = "", error.__traceback__
    while step is not None:
        part = step.tb_frame.f_locals.get("self")
        if id(part) in names:
            found = f"'{names[id(part)]}' ({type(part).__name__}): "
        step = step.tb_next
    return found
