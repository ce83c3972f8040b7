"""The optimizer of Optax that walks as a rule does, or comes nearest."""

from ravine import rules
from ravine.frameworks.translate.parts import (
    Argument,
    Unwritable,
    apart,
    momentum,
    spelled,
    written,
)
from ravine.frameworks.translate.write_keras import inside, outside, whole
from ravine.rules import variants
from ravine.rules.update_rule import Rule


def write(rule: Rule) -> str:
    """Its call, the learning rate first and arguments that are not the default by name."""
    inner, decay, penalty, clip = apart(rule)
    name, arguments = _native(inner)
    before, after = [], []
    if clip is not None:
        if clip.clipnorm is not None:
            raise Unwritable("Optax has no clipping of each array by its own norm")
        if clip.global_clipnorm is not None:
            before.append(f"optax.clip_by_global_norm({written(clip.global_clipnorm)})")
        if clip.clipvalue is not None:
            before.append(f"optax.clip({written(clip.clipvalue)})")
    if penalty:
        before.append(f"optax.add_decayed_weights({written(penalty)})")
    elif decay and name in ("adam", "nadam"):
        name, arguments["weight_decay"] = f"{name}w", (decay, 1e-4)
    elif decay:
        after.append(f"optax.add_decayed_weights({written(-inner.learning_rate * decay)})")
    rate = arguments.pop("rate")[0] if "rate" in arguments else inner.learning_rate
    text = spelled(f"optax.{name}", written(rate), **arguments)
    return f"optax.chain({', '.join([*before, text, *after])})" if before or after else text


def _native(rule: Rule) -> tuple[str, dict[str, Argument]]:
    if sums := momentum(rule):
        return "sgd", {
            "rate": (sums.rate * (1 - sums.dampening), None),
            "momentum": (sums.momentum or None, None),
            "nesterov": (sums.nesterov, False),
        }
    if isinstance(rule, rules.Adagrad):
        return "adagrad", {
            "initial_accumulator_value": (rule.initial_accumulator_value, 0.1),
            "eps": (inside(rule), 1e-7),
        }
    if isinstance(rule, rules.RMSprop):
        beyond = rule.epsilon == 0
        arguments: dict[str, Argument] = {
            "decay": (rule.rho, 0.9),
            "eps": (rule.epsilon_outside if beyond else rule.epsilon, 1e-8),
            "initial_scale": (rule.initial_accumulator_value, 0.0),
            "eps_in_sqrt": (not beyond, True),
        }
        if isinstance(rule, variants.RMSpropHeavyBall):
            arguments["centered"] = whole(rule.centered), False
            arguments["momentum"] = rule.momentum or None, None
            arguments["nesterov"] = isinstance(rule, variants.RMSpropNesterov), False
        return "rmsprop", arguments
    return _adam(rule)


def _adam(rule: Rule) -> tuple[str, dict[str, Argument]]:
    values = rule.values()
    root = values.get("epsilon_root", 0.0)
    eps = values["epsilon"] + values.get("epsilon_hat", 0.0) if root else outside(values)
    arguments: dict[str, Argument] = {
        "b1": (values["beta_1"], 0.9),
        "b2": (values["beta_2"], 0.999),
        "eps": (eps, 1e-8),
        "eps_root": (root, 0.0),
    }
    if isinstance(rule, variants.AMSGrad):
        return "amsgrad", arguments
    if isinstance(rule, rules.Nadam | variants.SteadyNadam | variants.ContribNadam):
        return "nadam", arguments
    return "adam", arguments
