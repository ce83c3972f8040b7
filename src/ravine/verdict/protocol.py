"""How a race was done, in words; the functions that do it are in the other files."""

from ravine.racing import stopping
from ravine.racing.plan import REFERENCE_SEEDS, SHORTER, Plan
from ravine.verdict.curves import SMOOTHING, UNTRAINED
from ravine.verdict.sensitivity import FORGIVEN
from ravine.verdict.statistics import CONFIDENCE, fewest_seeds
from ravine.verdict.tuning import TARGET_QUANTILE


def protocol(plan: Plan) -> dict[str, str]:
    """What was done with this plan, a sentence a step."""
    choices = plan.choices
    pairs = "study, the median of each" if choices.studies > 1 else "seed"
    units = "studies" if choices.studies > 1 else "seeds"
    found = {
        "tuning": f"lowest median final validation loss; {_budget(plan)}; ties to the smaller rate"
    }
    if choices.fitted:
        found["budget"] = choices.fitted
    if choices.studies > 1:
        found["studies"] = (
            f"{choices.studies}, each with tuning, reference and fresh seeds of its own; what is "
            "claimed is about the rules"
        )
    found["target"] = (
        f"the user's own: test {choices.target}"
        if choices.target
        else f"the {REFERENCE_SEEDS * TARGET_QUANTILE:.0f}th lowest final test loss of "
        f"{REFERENCE_SEEDS} reference runs of tuned gradient descent, on other seeds"
    )
    found["time"] = (
        f"first evaluation whose trailing mean of {SMOOTHING} on the test data is at the target; "
        "in steps, each of them one minibatch gradient"
    )
    if plan.decaying:
        runs = ", ".join(f"1/{part}" for part in reversed(SHORTER.values()))
        found["time_under_a_decay"] = (
            f"runs of {runs} and all of {plan.steps} steps, each with its whole decay: the "
            "shortest that ends at the target"
        )
    found |= {
        "speedup": f"T of gradient descent / T of the rule, paired by {pairs}, median; where only "
        "the rule arrives, the whole run / T, a lower bound; where only gradient descent does, 0; "
        "neither, 1",
        "seconds": "steps times the rule's own seconds a step, timed warm, in turn, alone on the "
        "machine",
        "interval": f"order statistics of the median, at least {CONFIDENCE:.0%}, not adjusted for "
        "several rules",
        "test": f"exact sign test, Holm over the rules, {1 - CONFIDENCE:.0%}; a rule is called "
        "faster or slower where its interval excludes 1 as well",
        f"fewest_{units}": f"below {fewest_seeds(1)} nothing is claimed, nor, with several rules, "
        "below what a clean sweep would need to pass the test",
        "ties": f"for first: the interval of the speed-up over the first, paired by {pairs}, "
        "includes 1",
        "diverged": "not finite, or ending above the loss before step one",
        "learning_rate": "how much it matters is said from the tuning runs, by their median final "
        f"validation losses: what is within {FORGIVEN:.0%} of the best, and the smallest rate "
        f"above the best that diverges or stays above {UNTRAINED:.0%} of the loss before step one",
    }
    if choices.early_stopping:
        found["early_stopping"] = (
            "of a learning rate's tuning runs, at "
            + ", ".join(f"1/{1 / share:.0f}" for share in stopping.RUNGS)
            + f" of their steps: where the rule's best rate was in 1/{stopping.MARGIN} of the "
            "steps, and each of them is now worse than each run of the best rate"
        )
    return found


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
