"""The same ideas as some framework has them: another path, so another rule. Not raced unasked."""

from ravine.rules.update_rule import Rule
from ravine.rules.variants.amsgrad import AMSGrad, CorrectedAMSGrad
from ravine.rules.variants.graves import RMSpropHeavyBall, RMSpropMomentum, RMSpropNesterov
from ravine.rules.variants.heavyball import HeavyBall, HeavyBallNesterov
from ravine.rules.variants.rewritten import RewrittenNesterov, UndampenedMomentum
from ravine.rules.variants.steady_nadam import ContribNadam, SteadyNadam

__all__ = [
    "VARIANTS",
    "AMSGrad",
    "ContribNadam",
    "CorrectedAMSGrad",
    "HeavyBall",
    "HeavyBallNesterov",
    "RMSpropHeavyBall",
    "RMSpropMomentum",
    "RMSpropNesterov",
    "RewrittenNesterov",
    "SteadyNadam",
    "UndampenedMomentum",
]

VARIANTS: dict[str, type[Rule]] = {
    rule.name: rule
    for rule in (
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
}
