"""The optimizer of PyTorch that walks as a rule does, or comes nearest."""

from ravine import rules
from ravine.frameworks.translate.parts import Argument, Unwritable, apart, momentum, spelled
from ravine.frameworks.translate.write_keras import beyond, outside, whole
from ravine.rules import variants
from ravine.rules.update_rule import Rule


def write(rule: Rule) -> str:
    """Its call for parameters called ``params``, arguments that are not the default by name."""
    inner, decay, penalty, clip = apart(rule)
    if clip is not None:
        raise Unwritable(
            "PyTorch's optimizers do not clip: that is torch.nn.utils.clip_grad_norm_ and "
            "clip_grad_value_, before each step"
        )
    name, arguments = _native(inner)
    decoupled = bool(decay) and name in ("Adam", "NAdam")
    if name == "Adam" and decoupled:
        name, arguments["weight_decay"] = "AdamW", (decay, 1e-2)
    else:
        arguments["weight_decay"] = decay or penalty, 0.0
        if decoupled:
            arguments["decoupled_weight_decay"] = True, False
    rate = (inner.learning_rate if "rate" not in arguments else arguments.pop("rate")[0], None)
    return spelled(f"torch.optim.{name}", "params", **{"lr": rate}, **arguments)


def _native(rule: Rule) -> tuple[str, dict[str, Argument]]:
    if sums := momentum(rule):
        return "SGD", {
            "rate": (sums.rate, None),
            "momentum": (sums.momentum, 0.0),
            "dampening": (sums.dampening, 0.0),
            "nesterov": (sums.nesterov and sums.momentum > 0, False),
        }
    if isinstance(rule, rules.Adagrad):
        return "Adagrad", {
            "initial_accumulator_value": (rule.initial_accumulator_value, 0.0),
            "eps": (beyond(rule), 1e-10),
        }
    if isinstance(rule, rules.RMSprop):
        arguments = {"alpha": (rule.rho, 0.99), "eps": (beyond(rule), 1e-8)}
        if isinstance(rule, variants.RMSpropHeavyBall):
            arguments["momentum"] = rule.momentum, 0.0
            arguments["centered"] = whole(rule.centered), False
        return "RMSprop", arguments
    return _adam(rule)


def _adam(rule: Rule) -> tuple[str, dict[str, Argument]]:
    values = rule.values()
    arguments: dict[str, Argument] = {
        "betas": ((values["beta_1"], values["beta_2"]), (0.9, 0.999)),
        "eps": (outside(values), 1e-8),
    }
    if isinstance(rule, variants.AMSGrad):
        arguments["amsgrad"] = True, False
    if isinstance(rule, rules.Nadam):
        return "NAdam", {**arguments, "momentum_decay": (rule.momentum_decay, 4e-3)}
    if isinstance(rule, variants.SteadyNadam | variants.ContribNadam):
        # So fast a schedule is over before the first step: 0.96^1000 is lost beside 1.
        return "NAdam", {**arguments, "momentum_decay": (1000.0, 4e-3)}
    return "Adam", arguments
