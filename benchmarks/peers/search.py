"""Tools that search hyperparameters, driving the fastest of the peers: the trial is its scan."""

import tempfile
from collections.abc import Callable, Sequence

from peers import jax_scan
from peers.setting import Curve, Setting


def prepare(setting: Setting, tool: str, lanes: int = 1) -> Callable[[list[int]], list[Curve]]:
    """A trial is a run: the tool proposes its seed and is told the last validation loss."""
    train = jax_scan.prepare(setting, lanes=lanes)
    search = {"optuna": optuna_grid, "keras-tuner": keras_tuner_grid}[tool]

    def every(seeds: list[int]) -> list[Curve]:
        curves = {}

        def trial(seed: int) -> float:
            (curves[seed],) = train([seed])
            return float(curves[seed].measures[-1, 0])

        search(trial, seeds)
        return [curves[seed] for seed in seeds]

    return every


def optuna_grid(trial: Callable[[int], float], values: Sequence[int]) -> None:
    """A trial of each value."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.GridSampler({"value": values})
    repetition = optuna.create_study(sampler=sampler)  # kept in memory: its fastest storage
    repetition.optimize(
        lambda given: trial(given.suggest_categorical("value", values)), n_trials=len(values)
    )


def keras_tuner_grid(trial: Callable[[int], float], values: Sequence[int]) -> None:
    """The same. Its ``run_trial`` is overridden, as its manual has it: no checkpoint is written."""
    import keras_tuner  # type: ignore[import-untyped,unused-ignore]

    class Scans(keras_tuner.GridSearch):  # type: ignore[misc]
        def run_trial(self, given: object, *_: object, **__: object) -> float:
            return trial(given.hyperparameters.get("value"))  # type: ignore[attr-defined]

    space = keras_tuner.HyperParameters()
    space.Choice("value", list(values))
    with tempfile.TemporaryDirectory() as folder:
        tuner = Scans(
            hypermodel=lambda _: None,
            hyperparameters=space,
            tune_new_entries=False,
            objective=keras_tuner.Objective("default_objective", "min"),
            max_trials=len(values),
            directory=folder,
            project_name="trials",
        )
        tuner.search(verbose=0)
