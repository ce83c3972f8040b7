"""The optimizer of Keras 3 that walks as a rule does, or comes nearest."""

from math import sqrt

from ravine import rules
from ravine.frameworks.translate.parts import Argument, Unwritable, apart, momentum, spelled
from ravine.rules import variants
from ravine.rules.update_rule import Rule


def write(rule: Rule) -> str:
    """Its call, arguments that are not the default by name."""
    inner, decay, penalty, clip = apart(rule)
    if penalty and not decay:
        raise Unwritable("Keras has no L2 in its optimizers: it is kernel_regularizer=L2(λ/2)")
    around: dict[str, Argument] = {}
    if clip is not None:
        limits = {"clipnorm", "clipvalue", "global_clipnorm"}
        set_ = {name: (getattr(clip, name), None) for name in limits}
        around |= {name: limit for name, limit in set_.items() if limit[0] is not None}
        if len(around) > 1:
            raise Unwritable("Keras clips in one way at a time")
    name, arguments = _native(inner)
    rate = (inner.learning_rate if "rate" not in arguments else arguments.pop("rate")[0], None)
    if decay:
        # What is lost in a step is λ times the rate, and that may be spelled otherwise.
        around["weight_decay"] = decay * inner.learning_rate / rate[0], None
    if name == "Adam" and decay:
        name = "AdamW"
        around["weight_decay"] = decay, 0.004
    return spelled(f"keras.optimizers.{name}", **{"learning_rate": rate}, **arguments, **around)


def _native(rule: Rule) -> tuple[str, dict[str, Argument]]:
    if sums := momentum(rule):
        # A first gradient that is not dampened is known to PyTorch alone.
        rate = sums.rate * (1 - sums.dampening)
        arguments = {"momentum": (sums.momentum, 0.0), "nesterov": (sums.nesterov, False)}
        return "SGD", {"rate": (rate, None), **arguments}
    if isinstance(rule, rules.Adagrad):
        return "Adagrad", {
            "initial_accumulator_value": (rule.initial_accumulator_value, 0.1),
            "epsilon": (inside(rule), 1e-7),
        }
    if isinstance(rule, rules.RMSprop):
        arguments = {"rho": (rule.rho, 0.9), "epsilon": (inside(rule), 1e-7)}
        if isinstance(rule, variants.RMSpropHeavyBall):
            arguments["momentum"] = rule.momentum, 0.0
            arguments["centered"] = whole(rule.centered), False
        return "RMSprop", arguments
    return _adam(rule)


def _adam(rule: Rule) -> tuple[str, dict[str, Argument]]:
    values = rule.values()
    arguments = {"beta_1": (values["beta_1"], 0.9), "beta_2": (values["beta_2"], 0.999)}
    arguments["epsilon"] = (outside(values), 1e-7)
    if isinstance(rule, rules.Nadam | variants.SteadyNadam | variants.ContribNadam):
        return "Nadam", arguments
    if isinstance(rule, variants.AMSGrad):
        arguments["amsgrad"] = True, False
    return "Adam", arguments


def inside(rule: rules.Adagrad | rules.RMSprop) -> float:
    """An epsilon inside the root, with the divisor of one outside while no gradient has come."""
    first = _lowest(rule)
    return rule.epsilon or _near((sqrt(first) + rule.epsilon_outside) ** 2 - first)


def beyond(rule: rules.Adagrad | rules.RMSprop) -> float:
    """The reverse: an epsilon outside the root."""
    first = _lowest(rule)
    return rule.epsilon_outside or _near(sqrt(first + rule.epsilon) - sqrt(first))


def _near(value: float) -> float:
    return float(f"{value:.4g}")  # what is only nearest shall not look exact


def _lowest(rule: rules.Adagrad | rules.RMSprop) -> float:
    # RMSprop forgets what it started from.
    return rule.initial_accumulator_value if isinstance(rule, rules.Adagrad) else 0.0


def outside(values: dict[str, float]) -> float:
    """An epsilon outside the root, whichever of Adam's places it stood in."""
    kept = values["epsilon"] + values.get("epsilon_hat", 0.0)
    return kept or sqrt(values.get("epsilon_root", 0.0))


def whole(centered: float) -> bool:
    """A switch, of what may be anything from 0 to 1."""
    if centered not in (0, 1):
        raise Unwritable(f"centered={centered:g}: frameworks know 0 and 1 alone")
    return bool(centered)
