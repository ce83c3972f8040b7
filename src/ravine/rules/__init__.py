"""The update rules: a file each, a line each."""

from ravine.rules.adagrad import Adagrad
from ravine.rules.adam import Adam
from ravine.rules.adamw import AdamW
from ravine.rules.amsgrad import AMSGrad, CorrectedAMSGrad
from ravine.rules.graves import RMSpropHeavyBall, RMSpropMomentum, RMSpropNesterov
from ravine.rules.heavyball import (
    HeavyBall,
    HeavyBallNesterov,
    RewrittenNesterov,
    UndampenedMomentum,
)
from ravine.rules.momentum import Momentum
from ravine.rules.nadam import Nadam
from ravine.rules.nesterov import Nesterov
from ravine.rules.rmsprop import RMSprop
from ravine.rules.sgd import SGD
from ravine.rules.steady_nadam import ContribNadam, SteadyNadam
from ravine.update_rule import Rule

__all__ = [
    "RULES",
    "SGD",
    "VARIANTS",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "ContribNadam",
    "CorrectedAMSGrad",
    "HeavyBall",
    "HeavyBallNesterov",
    "Momentum",
    "Nadam",
    "Nesterov",
    "RMSprop",
    "RMSpropHeavyBall",
    "RMSpropMomentum",
    "RMSpropNesterov",
    "RewrittenNesterov",
    "SteadyNadam",
    "UndampenedMomentum",
]


def _by_name(*rules: type[Rule]) -> dict[str, type[Rule]]:
    return {rule.name: rule for rule in rules}


# What a race runs unless told otherwise.
RULES = _by_name(SGD, Momentum, Nesterov, Adagrad, RMSprop, Adam, AdamW, Nadam)

# The same ideas as some framework has them: another path, so another rule.
VARIANTS = _by_name(
    HeavyBall,
    HeavyBallNesterov,
    RewrittenNesterov,
    UndampenedMomentum,
    RMSpropHeavyBall,
    RMSpropNesterov,
    RMSpropMomentum,
    AMSGrad,
    CorrectedAMSGrad,
    SteadyNadam,
    ContribNadam,
)
