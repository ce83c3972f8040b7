"""Tools that search hyperparameters, driving the fastest of the peers: the trial is its scan."""

import tempfile
from collections.abc import Callable

from peers import jax_scan
from peers.setting import Curve, Setting


def prepare(setting: Setting, tool: str, lanes: int = 1) -> Callable[[list[int]], list[Curve]]:
    """A trial is a run: the tool proposes its seed and is told the last validation loss."""
    train = jax_scan.prepare(setting, lanes=lanes)
    return {"optuna": _optuna, "keras-tuner": _keras_tuner}[tool](train)


def _optuna(train: Callable[[list[int]], list[Curve]]) -> Callable[[list[int]], list[Curve]]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def search(seeds: list[int]) -> list[Curve]:
        curves = {}

        def objective(trial: optuna.Trial) -> float:
            seed = trial.suggest_categorical("seed", seeds)
            (curves[seed],) = train([seed])
            return float(curves[seed].measures[-1, 0])

        # Kept in memory: its fastest storage.
        study = optuna.create_study(sampler=optuna.samplers.GridSampler({"seed": seeds}))
        study.optimize(objective, n_trials=len(seeds))
        return [curves[seed] for seed in seeds]

    return search


def _keras_tuner(train: Callable[[list[int]], list[Curve]]) -> Callable[[list[int]], list[Curve]]:
    import keras_tuner  # type: ignore[import-untyped,unused-ignore]

    curves: dict[int, Curve] = {}

    class Scans(keras_tuner.GridSearch):  # type: ignore[misc]
        def run_trial(self, trial: object, *_: object, **__: object) -> float:
            seed = trial.hyperparameters.get("seed")  # type: ignore[attr-defined]
            (curves[seed],) = train([seed])
            return float(curves[seed].measures[-1, 0])

    def search(seeds: list[int]) -> list[Curve]:
        space = keras_tuner.HyperParameters()
        space.Choice("seed", seeds)
        with tempfile.TemporaryDirectory() as folder:
            tuner = Scans(
                hypermodel=lambda _: None,
                hyperparameters=space,
                tune_new_entries=False,
                objective=keras_tuner.Objective("default_objective", "min"),
                max_trials=len(seeds),
                directory=folder,
                project_name="trials",
            )
            tuner.search(verbose=0)
        return [curves[seed] for seed in seeds]

    return search
