"""A rule as a Keras optimizer, on TensorFlow, JAX and PyTorch. Imports Keras.

Import this module before a saved model that was trained with a rule is loaded: that registers the
class with Keras, as any class of one's own has to be.
"""

import contextlib
import dataclasses
import importlib
import inspect
import numbers
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

import keras
from keras import ops
from keras.src.optimizers.base_optimizer import BaseOptimizer

from ravine.errors import InvalidArgument, unknown
from ravine.frameworks.keras_saving import read, written
from ravine.frameworks.memory import over
from ravine.frameworks.spelling import read_rule
from ravine.rules.ops import dtype_name
from ravine.rules.update_rule import Array, Rule, State

_Optimizer: Any = keras.optimizers.Optimizer
_tensor: Any = ops.convert_to_tensor
if keras.backend.backend() == "torch":
    from keras.src.backend.torch.optimizers.torch_parallel_optimizer import TorchParallelOptimizer

    # Steps under no_grad, all variables in one call.
    _Optimizer = type("_Optimizer", (TorchParallelOptimizer, _Optimizer), {})
    _Room: Any = importlib.import_module("ravine.frameworks.fused_stepper").FusedStepper
else:
    _Room = object
if keras.backend.backend() == "tensorflow":
    # To Keras a variable is a tensor already, but a rule is to see nothing that changes under it.
    _tensor = importlib.import_module("tensorflow").convert_to_tensor

# What every Keras optimizer takes: learning_rate, weight_decay, clipnorm …, name.
KERAS_ARGUMENTS = tuple(
    parameter.name
    for parameter in inspect.signature(BaseOptimizer).parameters.values()
    if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
)


def to_keras(rule: str | type[Rule] | Rule, **keras_arguments: Any) -> "RuleOptimizer":
    """A rule as a Keras optimizer, for ``compile`` and everything else Keras does with one.

    ``keras_arguments`` are those that every Keras optimizer takes, and mean what they mean there:
    ``weight_decay``, ``clipnorm``, ``clipvalue``, ``global_clipnorm``, ``use_ema``,
    ``ema_momentum``, ``ema_overwrite_frequency``, ``loss_scale_factor``,
    ``gradient_accumulation_steps``, ``name``, and ``learning_rate`` (a number, a
    ``LearningRateSchedule`` or a function without arguments) in place of the rule's own.
    Raises :class:`InvalidArgument` for any other.

    >>> import keras
    >>> from ravine import Adam
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(to_keras(Adam(beta_1=0.8), learning_rate=0.01, clipnorm=1.0), loss="mse")
    """
    rule = read_rule(rule)
    for name, value in keras_arguments.items():
        # With a decay of its own, a rule would decay twice.
        if name != "learning_rate" and name in rule.hyperparameters():
            raise InvalidArgument(
                f"{name} is a hyperparameter of {rule.name}: give it to the rule, "
                f"{type(rule).__name__}({name}={value!r})"
            )
        if name not in KERAS_ARGUMENTS:
            raise unknown("Keras argument", name, KERAS_ARGUMENTS)
    rate = keras_arguments.pop("learning_rate", None)
    if isinstance(rate, numbers.Real):
        rule = rule.replace({"learning_rate": rate})  # which checks it
    elif callable(rate):  # a schedule too
        keras_arguments["learning_rate"] = rate
    elif rate is not None:
        raise InvalidArgument(f"learning_rate={rate!r} is not a number, a schedule or a function")
    return RuleOptimizer(rule, **keras_arguments)


@dataclasses.dataclass(frozen=True)  # no tuple: Keras wraps those
class _Memory:
    """What the optimizer keeps of one variable."""

    dtype: str  # of the arithmetic
    names: State  # the rule's state, with a name in place of each number
    slots: dict[str, Any]  # Keras variables by these names
    offset: Any  # w minus the published point; None where they are the same


class _Now(NamedTuple):
    """A step in the type of a variable's arithmetic."""

    t: Any
    rule: Rule  # at this step's learning rate
    following: Rule  # at the next one's


@keras.saving.register_keras_serializable(package="ravine")
class RuleOptimizer(_Optimizer):  # type: ignore[misc]  # to mypy Keras is Any
    """Any rule as a Keras optimizer; made by :func:`to_keras`.

    The model's variable holds the point where the next gradient is taken. For a rule with a
    lookahead that is ``lookahead(w, state, t + 1)`` at the next step's learning rate, as far as it
    is known: a schedule's is, a function's and a callback's is not. A slot holds the *offset* from
    there to w, so whatever else moves the variable (weight decay, a constraint, ``set_weights``)
    moves w as much. A rule's first gradient is taken at the weights the model has.

    At the end of ``fit`` the variable stays where the next gradient would be taken, as with Keras's
    own Nesterov: a second ``fit``, or one after saving and loading, goes on in every bit as if
    there had been no pause. Only where a rule overrides ``read``, because its iterates are not for
    use, the variable gets ``read(w)`` then (unless ``use_ema`` puts its average there). No memory
    is lost by that, but a second ``fit`` takes its first gradient, and that alone, at ``read(w)``.
    :meth:`settled` lends any model the weights to use.

    The state of 16-bit variables is float32, and so is the arithmetic: in bfloat16 Keras's own
    Adam stands still.
    """

    def __init__(self, rule: Rule, learning_rate: Any = None, **keras_arguments: Any) -> None:
        keras_arguments["name"] = keras_arguments.get("name") or rule.name
        if learning_rate is None:
            learning_rate = rule.learning_rate
        super().__init__(learning_rate=learning_rate, **keras_arguments)
        self.rule = rule

    def __getattr__(self, name: str) -> Any:
        """A hyperparameter of the rule, as Keras's optimizers show theirs."""
        rule = self.__dict__.get("rule")
        if rule is None or name not in rule.hyperparameters():
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return rule.values()[name]

    def __setattr__(self, name: str, value: Any) -> None:
        rule = self.__dict__.get("rule")
        if rule is not None and name != "learning_rate" and name in rule.hyperparameters():
            name, value = "rule", rule.replace({name: value})
        super().__setattr__(name, value)

    def build(self, variables: Sequence[Any]) -> None:
        """Create the slots."""
        if self.built:
            return
        super().build(variables)
        self._memories = [self._remember(variable) for variable in variables]
        self._room = _Room()

    def restart(self, weights: Sequence[Any]) -> None:
        """Forget all steps: every slot as a rule sets out from these weights, arrays of NumPy."""
        for variable in self.variables:
            if variable is not self._learning_rate:
                variable.assign(ops.zeros(variable.shape, variable.dtype))
        for memory, w in zip(self._memories, weights, strict=True):
            if memory is None:
                continue
            leaves: dict[str, Any] = {}
            over(self.rule.init(w), leaves.__setitem__)
            for name, x in leaves.items():
                memory.slots[name].assign(ops.cast(x, memory.dtype))

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """As Keras's, and a rule's own decay (``AdamW``, ``Decay``, ``L2``) spares these too.

        A hyperparameter called ``weight_decay`` is 0 for them. Raises :class:`InvalidArgument`
        where the rule does not allow that.
        """
        self._undecayed(self.rule)
        super().exclude_from_weight_decay(var_list, var_names)

    def _undecayed(self, rule: Rule) -> Rule:
        """The rule without a decay of its own."""
        names = [name for name in rule.hyperparameters() if name.endswith("weight_decay")]
        try:
            return rule.replace(dict.fromkeys(names, 0.0)) if names else rule
        except InvalidArgument as error:
            raise InvalidArgument(f"exclude_from_weight_decay: {error}") from None

    def _memory(self, variable: Any) -> Any:
        return self._memories[self._get_variable_index(variable)]

    def _remember(self, variable: Any) -> _Memory | None:
        if self._overwrite_variable_with_gradient(variable):
            return None  # float8's scales, which are no weights
        dtype = dtype_name(variable)
        dtype = "float32" if "float16" in dtype else dtype
        own = getattr(variable, "path", variable.name).replace("/", "_").replace(":", "_")

        def initial() -> State:
            return self.rule.init(ops.stop_gradient(_wide(variable, dtype)))

        def add(name: str, shape: Any, value: Any) -> Any:
            layout = getattr(variable, "_layout", None) if shape == tuple(variable.shape) else None
            return self.add_variable(shape, value, dtype, layout=layout, name=f"{own}_{name}")

        def slot(name: str, x: Any) -> Any:
            def value(shape: Any, dtype: Any) -> Any:
                # Computed anew, as TensorFlow may build inside a function, but calls this outside;
                # and a copy, as JAX gives every buffer away once.
                found: dict[str, Any] = {}
                over(initial(), found.__setitem__)
                return ops.copy(ops.cast(found[name], dtype))

            return add(name, tuple(getattr(x, "shape", ())), value)

        slots: dict[str, Any] = {}
        state = initial()
        over(state, lambda name, x: slots.setdefault(name, slot(name, x)))
        moves = self.rule.looks_ahead or self.rule.reads_elsewhere
        offset = add("offset", tuple(variable.shape), "zeros") if moves else None
        return _Memory(dtype, over(state, lambda name, _: name), slots, offset)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Take one step of the rule with one variable."""
        memory = self._memory(variable)
        self._step(gradient, variable, memory, self._now(learning_rate, variable, memory.dtype))

    def _backend_update_step(self, gradients: Any, variables: Any, learning_rate: Any) -> None:
        if keras.backend.backend() != "tensorflow":
            gradients = self._together(gradients, variables)
        super()._backend_update_step(gradients, variables, learning_rate)

    def _all_reduce_sum_gradients(self, pairs: Any) -> Any:
        """TensorFlow's: only here have replicas, if there are any, added up their gradients."""
        gradients, variables = zip(*super()._all_reduce_sum_gradients(pairs), strict=True)
        return list(zip(self._together(gradients, variables), variables, strict=True))

    def _together(self, gradients: Sequence[Any], variables: Sequence[Any]) -> Sequence[Any]:
        if not self.rule.spans_arrays:
            return gradients
        each = zip(gradients, variables, strict=True)
        return self.rule.together([_wide(_dense(g, v), self._memory(v).dtype) for g, v in each])

    def _parallel_update_step(self, gradients: Any, variables: Any, learning_rate: Any) -> None:
        """PyTorch's: nothing is compiled there, so variables are stepped many at once."""
        kinds: dict[tuple[str, bool], dict[Any, Any]] = {}
        for gradient, variable in zip(gradients, variables, strict=True):
            memory = self._memory(variable)
            kind = memory.dtype, self._use_weight_decay(variable)
            kinds.setdefault(kind, {})[variable.value] = (gradient, variable, memory)
        for (dtype, _), found in kinds.items():
            parts = [_part(*one) for one in found.values()]
            then = self._now(learning_rate, next(iter(found.values()))[1], dtype)
            stepped = self._room.step(then.rule, then.t, parts, following=then.following)
            for part, leaves in stepped.done:
                slots = list(found[part.p][-1].slots.values())  # in the order of the leaves
                for slot, x in zip(slots, leaves, strict=True):
                    if x is not None:
                        self.assign(slot, x)
            for part in stepped.alone:
                gradient, variable, memory = found[part.p]
                self._step(gradient, variable, memory, then)

    def _now(self, rate: Any, variable: Any, dtype: str) -> _Now:
        following = rate
        if isinstance(self._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            # A schedule counts batches, and with accumulated gradients a step takes several.
            batches = self.gradient_accumulation_steps or 1
            following = self._learning_rate(self._iterations + batches)
        t = ops.cast(self.iterations + 1, dtype)
        now, then = (self._rule_at(x, variable, dtype) for x in (rate, following))
        return _Now(t, now, then)

    def _rule_at(self, learning_rate: Any, variable: Any, dtype: str) -> Rule:
        # What is constant stays a Python float, and so exact in float64.
        rule = self.rule if self._use_weight_decay(variable) else self._undecayed(self.rule)
        return rule.replace({"learning_rate": _wide(learning_rate, dtype)})

    def _step(self, gradient: Any, variable: Any, memory: _Memory, now: _Now) -> None:
        w, state = self._weights(variable, memory)
        g = _wide(_dense(gradient, variable), memory.dtype)
        held = [w, g]
        over(state, lambda _, x: held.append(x))
        w, state = now.rule.update(w, g, state, now.t)
        held.append(w)
        leaves: dict[str, Any] = {}

        def keep(name: str, x: Any) -> None:
            # A rule may hand an array on as it is. PyTorch's is the variable itself, about to be
            # overwritten; and two variables of JAX must not share a buffer.
            leaves[name] = ops.copy(x) if any(x is one for one in held) else x
            held.append(x)

        over(state, keep)
        ahead = now.following.lookahead(w, state, now.t + 1)
        for name, x in leaves.items():
            self.assign(memory.slots[name], x)
        self._publish(variable, memory, w, ahead)

    def _weights(self, variable: Any, memory: _Memory) -> tuple[Array, State]:
        w = _wide(variable, memory.dtype)
        if memory.offset is not None:
            w = w + _tensor(memory.offset)
        return w, over(memory.names, lambda _, name: _tensor(memory.slots[name]))

    def _publish(self, variable: Any, memory: _Memory, w: Array, point: Array) -> None:
        point = ops.cast(point, dtype_name(variable))
        if memory.offset is not None:
            # Taken from what is stored: of a 16-bit variable w is then kept in 32.
            self.assign(memory.offset, w - ops.cast(point, memory.dtype))
        self.assign(variable, point)

    @contextlib.contextmanager
    def settled(self) -> Iterator[None]:
        """While it lasts, the variables are the weights to use: to evaluate, or to be saved.

        They are what the rule reads, which need not be where it takes its gradients. Take no step
        in here.

        >>> import keras
        >>> x = keras.Variable([1.0], trainable=False)
        >>> optimizer = to_keras("nesterov", learning_rate=1.0)
        >>> for _ in range(2):
        ...     optimizer.apply([keras.ops.ones(1)], [x])
        >>> with optimizer.settled():
        ...     round(float(keras.ops.sum(x)), 3)  # 1 - 0.1 - 0.19
        0.71
        >>> round(float(keras.ops.sum(x)), 3)  # 0.9 * 0.19 ahead of it
        0.539
        """
        trained = [v for v in self._trainable_variables if self._memory(v)]
        held = [ops.copy(ops.stop_gradient(_tensor(variable))) for variable in trained]
        try:
            for variable in trained:
                self.assign(variable, self._to_use(variable)[1])
            yield
        finally:
            for variable, was in zip(trained, held, strict=True):
                self.assign(variable, was)

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        """What Keras calls at the end of ``fit``: see :class:`RuleOptimizer`."""
        super().finalize_variable_values(var_list)
        if self.use_ema or not self.rule.reads_elsewhere:
            return
        for variable in var_list:
            if memory := self._memory(variable):
                self._publish(variable, memory, *self._to_use(variable))

    def _to_use(self, variable: Any) -> tuple[Array, Array]:
        """w, and the weights to use."""
        memory = self._memory(variable)
        w, state = self._weights(variable, memory)
        w = ops.stop_gradient(w)  # PyTorch's parameters ask for gradients
        t = ops.cast(self.iterations, memory.dtype)
        rule = self._rule_at(self.learning_rate, variable, memory.dtype)
        return w, rule.read(w, state, t)

    def get_config(self) -> dict[str, Any]:
        """All that :meth:`from_config` needs: Keras's own entries, and the rule."""
        return {**super().get_config(), "rule": written(self.rule)}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """The optimizer that ``get_config`` described, without its slots.

        A rule of one's own is found where it was defined, if that module is imported (or, outside
        of Keras's safe mode, can be), or under its class name in ``custom_objects``. Raises
        :class:`InvalidArgument` where there is no such rule.
        """
        rule = read(config["rule"], custom_objects)
        optimizer: Self = super().from_config({**config, "rule": rule}, custom_objects)
        return optimizer


def _wide(x: Any, dtype: str) -> Array:
    return _tensor(ops.convert_to_tensor(x, dtype, sparse=False))


def _part(gradient: Any, variable: Any, memory: _Memory) -> Any:
    """A step of one variable, as PyTorch's are packed together."""
    from ravine.frameworks.flat_view import Part

    leaves: list[Any] = []
    over(memory.names, lambda _, name: leaves.append(memory.slots[name].value))
    offset = None if memory.offset is None else memory.offset.value
    return Part(variable.value, gradient, memory.names, leaves, offset)


def _dense(gradient: Any, variable: Any) -> Any:
    """The gradient as an array; TensorFlow hands an embedding's as rows and their indices."""
    if hasattr(gradient, "dense_shape") and hasattr(gradient, "indices"):
        return ops.segment_sum(gradient.values, gradient.indices, num_segments=variable.shape[0])
    return gradient
