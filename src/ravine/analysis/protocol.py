"""How a race was done, in words; the functions that do it are in the other files."""

import math

from ravine.analysis import comparing, tuning
from ravine.analysis.curves import UNTRAINED
from ravine.analysis.evaluation import ALPHA, LEAST
from ravine.analysis.naming import called
from ravine.analysis.sensitivity import FORGIVEN
from ravine.analysis.tuning import TARGET_QUANTILE, goal_among
from ravine.experiment import endpoint, pruning
from ravine.experiment.plan import REFERENCE_SEEDS, Plan
from ravine.experiment.target import TEST


def protocol(plan: Plan) -> dict[str, str]:
    """What was done with this plan, a sentence a step."""
    choices, reference = plan.choices, called(plan.choices.reference)
    pairs = "repetition" if choices.repetitions > 1 else "seed"
    found = {"tuning": _tuning(plan)}
    if choices.fitted:
        found["budget"] = choices.fitted
    if choices.repetitions > 1:
        found["repetitions"] = (
            f"{choices.repetitions}, each with tuning, reference and evaluation seeds of its own; "
            "what is claimed is about the rules"
        )
    found["target"] = (
        f"the user's own: {choices.target if ' ' in choices.target else f'test {choices.target}'}"
        if choices.target
        else f"the {REFERENCE_SEEDS * TARGET_QUANTILE:.0f}th lowest of what {REFERENCE_SEEDS} "
        f"runs of tuned {reference} reach on the test data, on other seeds"
    )
    halvings = tuning.halvings(plan)
    share, targets = 2**halvings, halvings * endpoint.A_HALVING + 1
    found["split"] = _split(plan)
    found["time"] = (
        f"mean logarithm of the steps to {targets} targets: what the median run of "
        f"{reference} reaches in 1/{share} of its time to the target, in 2^(1/4) times that, and "
        f"so on to the target; of trailing means of {endpoint.SMOOTHING} evaluations on "
        "the test data; a run that misses a target took all its steps; each step is one "
        "minibatch gradient"
    )
    if plan.decaying:
        lengths = ", ".join(map(str, sorted(plan.horizons(plan.decaying[0]))))
        found["time_under_a_decay"] = (
            f"runs of {lengths} steps, each with its whole decay; the time to a target lies where "
            "the line through their last losses, over the logarithm of their steps, gets to it"
        )
    found |= {
        "speedup": f"geometric mean time of {reference} / that of the rule, paired by {pairs}",
        "seconds": "steps times the rule's own seconds a step, timed warm, in turn, no run "
        "beside it; intervals are as much wider as rounds of timing differ by; both rules are "
        "given the seconds of the shorter of their whole runs",
        "interval": f"{1 - ALPHA:.0%} for all rules together (Bonferroni"
        + ("" if len(choices.looks) == 1 else ", error spent over the looks after Lan & DeMets")
        + "), Student's, variances shrunk towards each other; it holds for all learning rates that "
        "tuning could not tell from the chosen one, and allows "
        f"{math.exp(comparing.TOLERANCE) - 1:.0%} for rates between those tried",
        "conclusion": "faster or slower where the interval excludes 1; as fast where it lies "
        f"within {math.exp(comparing.MARGIN) - 1:.0%} of 1; else undecided; below {LEAST} "
        f"{'repetitions' if choices.repetitions > 1 else 'seeds'} nothing is concluded",
        "looks": f"after {', '.join(map(str, choices.looks))} evaluation seeds; what is concluded "
        "stands"
        if len(choices.looks) > 1
        else f"one, after {choices.eval_seeds} evaluation seeds",
        "ties": "for first: the interval of the speed-up of the first over the rule includes 1",
        "diverged": "not finite, or ending above the loss before step one",
        "learning_rate": "how much it matters is said from the tuning runs, by their median final "
        f"validation losses: what is within {FORGIVEN:.0%} of the best, and the smallest rate "
        f"above the best that diverges or stays above {UNTRAINED:.0%} of the loss before step one",
    }
    if choices.early_stopping:
        found["early_stopping"] = (
            "of a learning rate's tuning runs, at "
            + ", ".join(f"1/{1 / share:.0f}" for share in pruning.RUNGS)
            + " of their steps: where, whatever comes, it takes more than "
            f"{math.exp(endpoint.HOPELESS):g} times as long to the targets as another"
        )
    return found


def _split(plan: Plan) -> str:
    said = f"{plan.facts.split}; " if plan.facts.split else ""
    if plan.facts.anew:
        return (
            f"{said}anew for each seed, in parts of one size: what is concluded is about all rows, "
            "not about those that happened to be held out"
        )
    said += "the same for all seeds"
    goal = goal_among(plan)
    if not plan.facts.blocks or (goal is not None and goal.split != TEST):
        return f"{said}: what is concluded is about the rows that were held out"
    return (
        f"{said}; intervals allow for the choice of the test rows, by half-samples of "
        f"{plan.facts.blocks} blocks of them"
    )


def _tuning(plan: Plan) -> str:
    choices = plan.choices
    how = (
        "the least time to the targets on validation data: every rate on one seed, those "
        f"within {math.exp(endpoint.HOPELESS):g} times of the best on {choices.tuning_seeds}; "
    )
    if plan.finer(choices.reference, choices.trials(choices.reference)[0]):
        how += "then those a quarter and half a step around the best; "
    if decays := choices.decays:
        what = "; ".join(
            f"of {called(rule)} {' and '.join(f'{value:g}' for value in values)}"
            for rule, values in decays.items()
        )
        how += (
            f"where the weight decay is tuned, two others ({what}) at the best rate, then the "
            "rates half a step around it; "
        )
    return f"{how}{_budget(plan)}; ties to the lower final loss"


def _budget(plan: Plan) -> str:
    choices = plan.choices
    if choices.search:
        return (
            f"{', '.join(choices.search)} searched beside the learning rate, where a rule has "
            "them: as many settings for every rule, evenly spread"
        )
    decades = max(choices.widened.values())
    if not decades:
        return "equal grids"
    return (
        f"equal grids, all {decades} decade{'s' if decades > 1 else ''} wider than at first, since "
        "a best rate lay at an edge"
    )
