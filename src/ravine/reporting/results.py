"""A finished race as pages see it: everything that is shown, nothing that runs."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ravine.analysis import Audit, RuleResult, Sensitivity, Spread, Verdict, protocol
from ravine.analysis.crosscheck import Confirmed
from ravine.analysis.replication import Checked
from ravine.experiment.curve import Curve
from ravine.experiment.plan import Plan
from ravine.reporting import snippets

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Results:
    """What a race set out to do, what it measured, and what that says."""

    plan: Plan
    curves: Sequence[Curve]
    verdict: Verdict
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    command: str  # what reproduces it, on the command line
    checked: Sequence[Checked] = ()  # what came of running the claim again
    confirmed: Sequence[Confirmed] = ()  # and of training in other frameworks
    best: Mapping[str, Any] = field(default_factory=dict)  # of the model that was kept

    @property
    def protocol(self) -> dict[str, str]:
        """How it was done, in words."""
        return protocol(self.plan)

    @cached_property
    def lines(self) -> list[snippets.Line]:
        """What is recommended as each framework spells it; none if nobody was ranked."""
        return [] if self.verdict.refused else snippets.lines(self.plan, self.verdict.recommended)

    @property
    def doubt(self) -> str:
        """What to know before one pastes them."""
        return snippets.doubt(self.verdict.recommended, self.plan.choices.objective)

    @property
    def code(self) -> dict[str, str]:
        """The same, by framework."""
        return {line.to: line.text for line in self.lines}

    @property
    def afterwards(self) -> list[str]:
        """What confirms it again as it was confirmed, where the command does not say so itself."""
        asked = [one.confirmation for one in self.confirmed]
        return [
            f"ravine crosscheck DIR --in {one.framework} --seeds {one.seeds}"
            for one in asked
            if "crosscheck" not in self.command or one != asked[0]
        ]

    @property
    def judged_on(self) -> str:
        """What medians and intervals are over, in words."""
        choices = self.plan.choices
        if choices.repetitions > 1:
            return f"{choices.repetitions} repetitions of {choices.eval_seeds} evaluation seeds"
        most = max((s.runs for s in self.verdict.standings), default=choices.eval_seeds)
        least = min((s.runs for s in self.verdict.standings), default=most)
        return (
            f"{most} evaluation seeds" if least == most else f"{least} to {most} evaluation seeds"
        )

    @property
    def stopped(self) -> int:
        """How many tuning runs were stopped early."""
        return sum(curve.stopped for curve in self.curves)

    @property
    def saved(self) -> float:
        """The share of all steps that was not taken for that reason."""
        steps = sum(len(curve.losses) for curve in self.curves)
        return 1 - steps / sum(curve.run.steps for curve in self.curves)

    def leaderboard(self) -> "pd.DataFrame":
        """A row a rule, best first: speed-up over the reference, and what stands behind it.

        Seconds are NaN where no step was timed, ``state_bytes`` where the rule is not ravine's,
        the ``cliff`` where no rate tried was beyond it.
        """
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "rule": s.rule,
                    "learning_rate": s.learning_rate,
                    "finding": s.finding,
                    "speedup": s.speedup.median,
                    "speedup_low": s.speedup.low,
                    "speedup_high": s.speedup.high,
                    "tied_for_first": s.tied_for_first,
                    "speedup_seconds": _median(s.speedup_seconds),
                    "steps_to_target": s.steps_to_target.median,
                    "gradients_to_target": s.gradients_to_target.median,
                    "seconds_to_target": _median(s.seconds_to_target),
                    "reached": s.reached,
                    "diverged": s.diverged,
                    "failed": s.failed,
                    "runs": s.runs,
                    "final_loss": s.final_loss,
                    "final_ratio": _median(s.final_ratio),
                    "loss_in_seconds": math.nan if s.loss_in_seconds is None else s.loss_in_seconds,
                    "validation_loss": s.validation_loss,
                    **{f"final_{name}": value for name, value in s.final_metrics.items()},
                    "state_bytes": math.nan if s.state_bytes is None else s.state_bytes,
                    "forgiving_decades": s.sensitivity.width.decades,
                    "cliff": math.nan if s.sensitivity.cliff is None else s.sensitivity.cliff,
                }
                for s in self.verdict.standings
            ]
        )

    def frame(self) -> "pd.DataFrame":
        """Every curve, tidy: rule, learning_rate, seed, stage, step, metric, split, value.

        The stage is tuning, reference (of that rule alone, for the target), fresh or contender (as
        fresh, at a learning rate that tuning could not tell from the chosen one). The training loss
        is that of the step's batch, before the step.
        """
        import numpy as np
        import pandas as pd

        steps = np.arange(self.plan.evaluations + 1) * self.plan.period
        parts = []
        for curve in self.curves:
            run = curve.run
            same = {"rule": run.rule, "learning_rate": run.learning_rate, "seed": run.seed}
            same["stage"] = run.stage
            series = [("loss", "train", np.arange(1, len(curve.losses) + 1), curve.losses)]
            series += [
                (metric, split, steps[: len(curve.measures)], curve.measures[:, i, k])
                for i, split in enumerate(SPLITS)
                for k, metric in enumerate(self.plan.facts.measures)
            ]
            parts += [
                pd.DataFrame({**same, "step": at, "metric": metric, "split": split, "value": v})
                for metric, split, at, v in series
            ]
        frame = pd.concat(parts, ignore_index=True)
        return frame.astype(dict.fromkeys(("rule", "stage", "metric", "split"), "category"))

    def to_json(self) -> str:
        """``verdict.json``, for other programs. What is infinite or not a number is null."""
        content = {
            "task": self.plan.choices.task,
            "target": self.verdict.target,
            "target_measure": self.verdict.measure,
            "target_split": self.verdict.split,
            "reference": self.verdict.reference,
            "targets": list(self.verdict.band),
            "protocol": {
                **self.protocol,
                "tuning_seeds": self.plan.choices.tuning_seeds,
                "eval_seeds": self.plan.choices.eval_seeds,
                "epochs": self.plan.choices.epochs,
                "batch_size": self.plan.choices.batch_size,
                "schedule": self.plan.choices.schedule,
                "repetitions": self.plan.choices.repetitions,
                "own_target": self.plan.choices.target or None,
                "widened_decades": dict(self.plan.choices.widened),
                "searched": {rule: dict(o) for rule, o in self.plan.choices.others.items()},
                "steps": self.plan.steps,
                "evaluated_every": self.plan.period,
                "learning_rates": dict(self.plan.choices.learning_rates),
                "tune": self.plan.choices.tune,
                "weight_decays": dict(self.plan.choices.decays),
            },
            "stopped_early": {"runs": self.stopped, "steps_saved": self.saved},
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "verdict": self.verdict.sentence,
            "in_seconds": self.verdict.in_seconds,
            "objective": self.plan.choices.objective,
            "recommended": None if self.verdict.refused else self.verdict.recommended.rule,
            "code": self.code,
            "best": {k: v for k, v in self.best.items() if k not in ("run", "task")} or None,
            "warnings": list(self.verdict.warnings),
            "audits": [_audit(audit) for audit in self.verdict.audits],
            "leads_by_target": [stretch._asdict() for stretch in self.verdict.leads_by_target],
            "leads_by_tries": [lead._asdict() for lead in self.verdict.leads_by_tries],
            "suspect_tuning": [
                {**suspect._asdict(), "speedup": suspect.speedup._asdict()}
                for suspect in self.verdict.suspects
            ],
            "pairs": [
                {"rule": rule, "over": over, "speedup": speedup._asdict()}
                for (over, rule), speedup in self.verdict.pairs.items()
            ],
            "checks": [_checked(checked) for checked in self.checked],
            "confirmations": [_confirmed(one) for one in self.confirmed],
            "rules": [_entry(standing) for standing in self.verdict.standings],
        }
        return json.dumps(finite(content), indent=2, ensure_ascii=False) + "\n"


def _audit(a: Audit) -> dict[str, Any]:
    return {"what": a.what, "result": a.result, "found": a.found, "wrong": a.wrong}


def _checked(c: Checked) -> dict[str, Any]:
    return {
        "rule": c.check.rule,
        "seeds": c.check.seeds,
        "speedup": c.speedup._asdict(),
        "held": c.held,
    }


def _confirmed(c: Confirmed) -> dict[str, Any]:
    return {
        "framework": c.confirmation.framework,
        "rule": c.confirmation.rule,
        "optimizers": dict(c.confirmation.optimizers),
        "seeds": c.confirmation.seeds,
        "agreeing": c.agreeing,
        "random_layers": c.random,
        "seconds_to_target": c.seconds,
        "seconds_without_building": c.seconds_built,
        "runs": [pair._asdict() for pair in c.pairs],
    }


def _entry(s: RuleResult) -> dict[str, Any]:
    return {
        "rule": s.rule,
        "learning_rate": s.learning_rate,
        "chosen": [one.learning_rate for one in s.chosen],
        "hyperparameters": {k: v for k, v in s.hyperparameters.items() if k != "learning_rate"},
        "finding": s.finding,
        "tied_for_first": s.tied_for_first,
        "runs": s.runs,
        "reached": s.reached,
        "diverged": s.diverged,
        "failed": s.failed,
        "speedup": s.speedup._asdict(),
        "speedup_seconds": _spread(s.speedup_seconds),
        "steps_to_target": s.steps_to_target._asdict(),
        "gradients_to_target": s.gradients_to_target._asdict(),
        "seconds_to_target": _spread(s.seconds_to_target),
        "step_seconds": s.step_seconds,
        "state_bytes": s.state_bytes,
        "final_loss": s.final_loss,
        "final_losses": s.final_losses,
        "final_ratio": _spread(s.final_ratio),
        "loss_in_seconds": s.loss_in_seconds,
        "loss_in_seconds_ratio": _spread(s.loss_in_seconds_ratio),
        "validation_loss": s.validation_loss,
        "final_metrics": s.final_metrics,
        "tuning": _tuning(s.sensitivity),
    }


def _tuning(found: Sensitivity) -> dict[str, Any]:
    return {
        "forgiving": {**found.width._asdict(), "decades": found.width.decades},
        "cliff": found.cliff,
        "unusable": found.unusable,
        "best_after": found.after,
        "rivals": found.rivals,
    }


def _spread(found: Spread | None) -> dict[str, float] | None:
    return None if found is None else found._asdict()


def _median(found: Spread | None) -> float:
    return math.nan if found is None else found.median


def finite(value: Any) -> Any:
    """JSON has no infinity; readers that are strict refuse it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return value
