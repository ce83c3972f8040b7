"""Errors a user can act on."""

import re
from collections.abc import Iterable


class RavineError(Exception):
    """Something failed while ravine worked; the message says what and what to do (exit code 1)."""


class InvalidArgument(RavineError, ValueError):
    """What was asked cannot be; says what was given, what is allowed, what is near (exit 2)."""


class WorkerTraceback(Exception):
    """The traceback of an error in another process, as the cause of the one that it becomes."""


def install(extra: str) -> str:
    """The command that brings what ravine does not need to have, quoted as any shell takes it.

    >>> install("torch")
    "pip install 'ravine[torch]'"
    """
    return f"pip install 'ravine[{extra}]'"


# What the frameworks call the same thing.
_SAME = (
    {"learning_rate", "lr", "step_size", "eta"},
    {"beta_1", "beta1", "b1", "betas"},
    {"beta_2", "beta2", "b2", "betas"},
    {"epsilon", "eps"},
    {"weight_decay", "wd", "weight_decay_rate", "l2"},
    {"momentum_decay", "schedule_decay", "psi"},
    {"initial_accumulator_value", "initial_scale"},
    {"nesterov", "use_nesterov"},
    {"clipnorm", "clip_norm"},
    {"clipvalue", "clip_value"},
    {"global_clipnorm", "clip_by_global_norm", "global_norm", "max_norm", "max_grad_norm"},
    {"torch", "pytorch"},
    {"tensorflow", "tf"},
)
# What is meant by a word that means several things, the likeliest first. A name that is not in
# question decides: decay is rho in Optax's rmsprop, and elsewhere a share of weights or rates.
_MEANT = {
    "seed": ("tuning_seeds",),
    "seeds": ("tuning_seeds",),
    "studies": ("repetitions",),
    "alpha": ("rho", "decay"),
    "rho": ("alpha", "decay"),
    "decay": ("weight_decay",),
    "lr_decay": (),
    "momentum": (),
    "clip": ("clipnorm", "clip_by_global_norm"),
}
# Optimizers that are none of ravine's: near in letters to some that are, and other algorithms.
ELSEWHERE = frozenset(
    """a2grad accsgd adabelief adabound adadelta adadeltaoptimizer adafactor adagradda
    adagraddaoptimizer adahessian adai adalite adamax adamaxw adammini adamod adamp adams adan
    adapnm adasmooth ademamix adopt aggmo aida alig amos apollo asgd avagrad bsam came dadapt
    dadaptation diffgrad dpsgd fadam fira focus fromage ftrl ftrloptimizer galore grams gravity
    grokfast kate kron lamb laprop lars lbfgs lion lomo lookahead lossscaleoptimizer madgrad mars
    msvag multioptimizer muon mvo noisysgd novograd optimistic optimisticadam optimisticadamv2
    optimisticgradientdescent optimizermap padam pid pnm polyaksgd prodigy
    proximaladagradoptimizer proximalgradientdescentoptimizer psgd qhadam qhm radam ranger ranger21
    rprop schedulefree schedulefreeadamw sgdp sgdw shampoo signsgd signum simplifiedademamix sm3
    soap sophia sparseadam spam srmm stableadamw swats syncreplicasoptimizer tadam tiger vsgd
    yogi""".split()  # noqa: SIM905  # as a list a line each
)

_KINDS = ("rule", "optimizer", "part")  # of what these are


def unknown(kind: str, given: str, known: Iterable[str]) -> InvalidArgument:
    """The error for a name that is not in a list, with the one that means the same.

    >>> print(unknown("argument", "lr", ["learning_rate", "momentum"]))
    unknown argument 'lr': did you mean 'learning_rate'?
    """
    names = list(known)
    shown = given if len(given) <= 80 else given[:77] + "…"
    hint = f"known: {', '.join(names)}"
    elsewhere = kind.split(maxsplit=1)[0] in _KINDS and _is_elsewhere(given)
    near = None if elsewhere else nearest(given, names)
    if near:
        hint = f"did you mean '{near}'?"
        if given.lower() == "decay":
            hint += " A learning rate that decays is a schedule"
    elif elsewhere:
        hint = f"that is none of ravine's; {hint}"
    return InvalidArgument(f"unknown {kind} '{shown}': {hint}")


def nearest(given: str, known: Iterable[str]) -> str | None:
    """The name of a list that is meant: as :func:`misspelt` finds it, or words left out."""
    names = list(known)
    word, words = given.lower(), set(_words(given))
    if not _has_meaning(word):
        whole = [name for name in names if words and words <= set(_words(name))]
        whole += [name for name in names if len(word) > 1 and name.lower().startswith(word)]
        if whole:
            return min(whole, key=len)
    return misspelt(given, names)


def misspelt(given: str, known: Iterable[str]) -> str | None:
    """The name of a list that means the same, or is one slip of the pen away."""
    names = list(known)
    word = given.lower()
    if same := next((name for name in names if _folded(name) == _folded(word)), None):
        return same
    if _has_meaning(word):
        # If no name has that meaning, what is near in letters means something else.
        lowered = {name.lower(): name for name in names}
        return next((lowered[one] for one in _meanings(word) if one in lowered), None)
    slips = {name: _slips(word, name.lower()) for name in names if len(given) <= 80}
    near = min(slips, key=slips.__getitem__, default="")
    return near if near and slips[near] <= max(1, len(word) // 4) < len(word) else None


def _has_meaning(word: str) -> bool:
    return word in _MEANT or any(word in same for same in _SAME)


def _is_elsewhere(name: str) -> bool:
    word = _folded(name)
    return word in ELSEWHERE or word.removesuffix("optimizer") in ELSEWHERE


def _meanings(word: str) -> list[str]:
    return [*_MEANT.get(word, ()), *(x for same in _SAME if word in same for x in sorted(same))]


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def _words(name: str) -> list[str]:
    return [part for part in re.split(r"[\W_]+", name.lower()) if part]


def _slips(one: str, other: str) -> int:
    """How many letters to add, leave out, change or swap with the next: optimal alignment."""
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and (a, one[i - 2]) == (other[j - 2], b):
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]
