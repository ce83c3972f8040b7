"""The variants of a task, ready to be raced: each built once, and what begins trained, trained."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ravine.execution.model_probe import Pretraining, Tryouts
from ravine.execution.pool import Pool
from ravine.execution.session import here
from ravine.results.ablation import TRIED_OUT
from ravine.rules import Adam
from ravine.storage.multi_race_dir import say
from ravine.storage.race_dir import using
from ravine.storage.store import WORK
from ravine.tasks import levers as axes
from ravine.tasks.pretraining import Pretrained, pretrained
from ravine.tasks.task import Task

FILES = "pretrained"  # a folder: the weights that combinations begin with


def tried_out(
    folder: Path,
    task: Task,
    digest: str,
    vary: Mapping[str, Sequence[Any]],
    options: Mapping[str, Any],
    workers: int | None,
    progress: bool,
) -> list[Task]:
    """The variants of the task. Each is built once before any is raced, and its gradients taken.

    One process does it, or this one if there are to be no ``workers``. What pretraining there is
    to do is done first; of files a copy is kept, and raced.
    """
    combinations = axes.combinations(vary)
    held = {file: _copy(folder, Path(file)) for file in files(vary)}
    pool, known = None, {}
    if (folder / TRIED_OUT).exists():
        known = json.loads((folder / TRIED_OUT).read_text(encoding="utf-8"))
    else:
        say(f"levers: building {len(combinations)} models", progress)
    try:
        if not known:
            bench = {"folder": str(folder / WORK), "digest": digest, "engine": task.engine}
            pool = Pool(here(0 if workers == 0 else 1, bench))
            costs = _pretrain(pool, folder, task, vary, options, progress)
        variants = [
            axes.varied(task, values, vary, _weights(folder, values, held))
            for values in combinations
        ]
        if pool is not None:
            found = Tryouts([(variant, None) for variant in variants]).run(pool)
            known = {
                axes.spelled(v.levers): {
                    **one._asdict(),
                    "slopes": [slope._asdict() for slope in one.slopes],
                    "cost": costs.get(pretraining_file(v.levers)),
                }
                for v, one in zip(variants, found, strict=True)
            }
            partial = folder / WORK / TRIED_OUT
            partial.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
            partial.replace(folder / TRIED_OUT)
    finally:
        if pool is not None:
            pool.close()
    return variants


def _pretrain(
    pool: Pool,
    folder: Path,
    task: Task,
    vary: Mapping[str, Sequence[Any]],
    options: Mapping[str, Any],
    progress: bool,
) -> dict[str, Any]:
    """Train on the other half of the rows what is to begin so; what each cost, by file."""
    wanted: dict[str, Task] = {}
    # Where the size of the batches is varied, that of the task: one pretraining serves all.
    size = options.get("batch_size") or task.batch_size
    for values in axes.combinations(vary):
        if values.get(axes.PRETRAINING) == axes.OTHER_HALF:
            others = {**values, axes.PRETRAINING: axes.NONE}
            variant = axes.varied(task, others, vary)
            wanted.setdefault(pretraining_file(values), axes.on_the_other_half(task, variant, size))
    if not wanted:
        return {}
    say(f"levers: pretraining {len(wanted)} models on the other half of the rows", progress)
    epochs = options.get("epochs") or task.epochs
    jobs = [
        (variant, Pretraining(Adam(), epochs, str(folder / FILES / file)))
        for file, variant in wanted.items()
    ]
    done = zip(wanted, Tryouts(jobs).run(pool), strict=True)
    return {file: one.cost and one.cost._asdict() for file, one in done}


def pretraining_file(values: Mapping[str, Any]) -> str:
    """What holds the weights that these values were pretrained to; one for all batch sizes."""
    others = {k: v for k, v in values.items() if k not in axes.OF_ANY_TASK}
    return f"{axes.spelled({axes.PRETRAINING: axes.OTHER_HALF, **others})}.keras"


def _weights(
    folder: Path, values: Mapping[str, Any], held: Mapping[str, Pretrained]
) -> Pretrained | None:
    what = values.get(axes.PRETRAINING, axes.NONE)
    if what == axes.OTHER_HALF:
        return pretrained(folder / FILES / pretraining_file(values), but_last=True)
    return None if what == axes.NONE else held[what]


def files(vary: Mapping[str, Sequence[Any]]) -> list[str]:
    """The files among the values of pretraining."""
    return [v for v in vary.get(axes.PRETRAINING, ()) if v not in (axes.NONE, axes.OTHER_HALF)]


def _copy(folder: Path, file: Path) -> Pretrained:
    """A file's copy in the folder: what is raced, whatever becomes of the file."""
    kept = folder / FILES / file.name
    if not kept.exists():
        with using(folder):
            kept.parent.mkdir(exist_ok=True)
            shutil.copyfile(pretrained(file).file, kept)
    return pretrained(kept)
