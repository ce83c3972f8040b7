"""The races that calibration simulates are the product's: both say the same of the same curves.

But for one thing: which rates are tried on the second tuning seed is decided on the first one's
targets, and in the simulation on both's. Of 34 races that made a difference in three, by a run or
two; the seeds here are four of the others.
"""

import numpy as np
import pytest
from benchmarks.calibration.curves import Curves, by_formula
from benchmarks.calibration.races import LOOKS, REFERENCES, TUNING_SEEDS, Sampler

from ravine import analysis
from ravine.analysis.evaluation import evaluation
from ravine.experiment.curve import Curve
from ravine.experiment.plan import STAGE_SEEDS, Plan, Run

RULES = {"reference": "sgd", "a": "adam", "d": "adamw", "g": "rmsprop"}  # 1, 1.25 and 2 times
DECAYS = {0.001: "c", 0.1: "f"}  # of adamw: 0.9 and 1.5 times


@pytest.fixture(scope="module")
def bank() -> Curves:
    """Runs of a formula, under names that races have; of adamw at three weight decays."""
    found = by_formula(20)
    rates, coarse, losses = (
        {name: part[r] for r, name in RULES.items()}
        for part in (found.rates, found.coarse, found.losses)
    )
    decays = {name: np.full(len(own), np.nan) for name, own in rates.items()}
    for decay, rule in DECAYS.items():
        decays["adamw"] = np.append(decays["adamw"], np.full(len(found.rates[rule]), decay))
        rates["adamw"] = np.append(rates["adamw"], found.rates[rule])
        losses["adamw"] = np.concatenate([losses["adamw"], found.losses[rule]])
    return Curves("", rates, coarse, losses, decays)


def planned(made, bank: Curves) -> Plan:
    counts = {"tuning_seeds": TUNING_SEEDS, "fresh": LOOKS[-1]}
    plan = made.planned(*bank.rates, **counts, looks=True, learning_rates=None)
    return plan.with_grids({r: tuple(bank.rates[r][bank.coarse[r]]) for r in bank.rates})


def raced(plan: Plan, bank: Curves, drawn: list[np.ndarray]) -> list[Curve]:
    """A race in which a stage's seeds are those that were drawn for it."""

    def curve(run: Run) -> Curve:
        stage, seed = divmod(run.seed, STAGE_SEEDS)
        decay = dict(run.configuration.others).get("weight_decay", np.nan)
        same = np.isclose(bank.decays[run.rule], decay, equal_nan=True)
        away = np.abs(np.log(bank.rates[run.rule] / run.learning_rate))
        place = np.where(same, away, np.inf).argmin()
        losses = bank.losses[run.rule][place, drawn[stage][seed]]
        training = np.repeat(losses[1:, 0], plan.period)
        return Curve(run, "w", "b", training, np.stack([losses, losses], axis=-1))

    curves: list[Curve] = []
    while runs := analysis.due(plan, curves):
        there = {c.run.id for c in curves}
        curves += [curve(run) for run in runs if run.id not in there]
    return curves


@pytest.mark.parametrize("seed", range(4))
def test_a_simulated_race_says_what_a_race_does(made, bank: Curves, seed: int) -> None:
    sampler, plan = Sampler(bank), planned(made, bank)
    simulated = sampler.race(np.random.default_rng(seed))
    assert simulated is not None
    draw = np.random.default_rng(seed)
    counts = (TUNING_SEEDS, REFERENCES, LOOKS[-1])
    curves = raced(plan, bank, [draw.integers(sampler.seeds, size=n) for n in counts])
    said = evaluation(plan, made.tuned(plan, curves), curves).said
    assert {rule: d.conclusion for rule, d in said.items()} == {
        rule: d.conclusion for rule, d in simulated.differences.items()
    }
    for rule, difference in said.items():
        assert difference == pytest.approx(simulated.differences[rule], abs=1e-9)
    assert len(curves) == simulated.runs
