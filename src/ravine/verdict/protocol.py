"""How it was done, in words; the functions that do it are in the other files."""

from ravine.racing import stopping
from ravine.racing.plan import REFERENCE_SEEDS
from ravine.verdict.curves import SMOOTHING, UNTRAINED
from ravine.verdict.sensitivity import FORGIVEN
from ravine.verdict.statistics import CONFIDENCE, fewest_seeds
from ravine.verdict.tuning import TARGET_QUANTILE

PROTOCOL = {
    "tuning": "lowest median final validation loss; equal grids; ties to the smaller rate",
    "target": f"the {REFERENCE_SEEDS * TARGET_QUANTILE:.0f}th lowest final test loss of "
    f"{REFERENCE_SEEDS} reference runs of tuned gradient descent, on other seeds",
    "time": f"first evaluation whose trailing mean of {SMOOTHING} test losses is at most the "
    "target; in steps, each of them one minibatch gradient",
    "speedup": "T of gradient descent / T of the rule, paired by seed, median; where only the rule "
    "arrives, the whole run / T, a lower bound; where only gradient descent does, 0; neither, 1",
    "interval": f"order statistics of the median, at least {CONFIDENCE:.0%}, not adjusted for "
    "several rules",
    "test": f"exact sign test, Holm over the rules, {1 - CONFIDENCE:.0%}; a rule is called faster "
    "or slower where its interval excludes 1 as well",
    "fewest_seeds": f"below {fewest_seeds(1)} nothing is claimed, nor, with several rules, below "
    "what a clean sweep would need to pass the test",
    "ties": "for first: the interval of the speed-up over the first, paired by seed, includes 1",
    "diverged": "not finite, or ending above the loss before step one",
    "learning_rate": "how much it matters is said from the tuning runs, by their median final "
    f"validation losses: what is within {FORGIVEN:.0%} of the best, and the smallest rate above "
    f"the best that diverges or stays above {UNTRAINED:.0%} of the loss before step one",
    "early_stopping": "of a learning rate's tuning runs, at "
    + ", ".join(f"1/{1 / share:.0f}" for share in stopping.RUNGS)
    + f" of their steps: where the rule's best rate was in 1/{stopping.MARGIN} of the steps, and "
    "each of them is now worse than each run of the best rate",
}
