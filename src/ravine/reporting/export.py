"""A race for other programs: CSV, Parquet, or what TensorBoard reads."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravine.errors import InvalidArgument, install, unknown
from ravine.experiment.curve import Curve
from ravine.experiment.plan import SHORTER
from ravine.reporting import runs
from ravine.reporting.results import SPLITS, Results
from ravine.tasks.names import file_name

if TYPE_CHECKING:
    import pandas as pd


def export(results: Results, to: str, folder: Path) -> list[Path]:
    """Write a race into a new or empty folder; ``to`` is one of ``FORMATS``.

    Tables are ``runs``, a row a run, and ``curves``, a row a measurement. Raises
    ``InvalidArgument`` for another format, a folder that is not empty, or a library that is not
    installed.
    """
    if to not in FORMATS:
        raise unknown("format", to, FORMATS)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidArgument(
            f"'{folder}' is there and not empty; nothing is overwritten: give another"
        )
    return FORMATS[to](results, folder)


def _csv(results: Results, folder: Path) -> list[Path]:
    def write(table: "pd.DataFrame", path: Path) -> None:
        table.to_csv(path, index=False, lineterminator="\n")

    return _tables(results, folder, "csv", write)


def _parquet(results: Results, folder: Path) -> list[Path]:
    try:
        import pyarrow  # noqa: F401  # which pandas needs for it
    except ImportError:
        raise _lacking("Parquet", "pyarrow", "parquet") from None

    def write(table: "pd.DataFrame", path: Path) -> None:
        table.to_parquet(path, engine="pyarrow", index=False)

    return _tables(results, folder, "parquet", write)


def _tables(
    results: Results, folder: Path, ending: str, write: Callable[["pd.DataFrame", Path], None]
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.{ending}" for name in ("runs", "curves")]
    for table, path in zip((runs.table(results), results.frame()), paths, strict=True):
        write(table, path)
    return paths


def _tensorboard(results: Results, folder: Path) -> list[Path]:
    """A folder a run, with its training loss of every step and all that was evaluated.

    TensorBoard's relative time is training time, where steps were timed.
    """
    try:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise _lacking("TensorBoard's format", "tensorboard", "tensorboard") from None
    began = time.time()
    pace = {s.rule: s.step_seconds or 0.0 for s in results.verdict.standings}
    folders = []
    for curve in results.curves:
        place = folder / curve.run.stage / _named(curve)
        writer = EventFileWriter(str(place))
        for step, tag, value in _scalars(results, curve):
            writer.add_event(_event(step, tag, value, began + step * pace[curve.run.rule]))
        writer.close()
        folders.append(place)
    return folders


def _scalars(results: Results, curve: Curve) -> list[tuple[int, str, float]]:
    plan = results.plan
    found = [(i, "loss/train", value) for i, value in enumerate(curve.losses.tolist(), 1)]
    for i, row in enumerate(curve.measures.tolist()):
        for split, values in zip(SPLITS, row, strict=True):
            for measure, value in zip(plan.facts.measures, values, strict=True):
                found.append((i * plan.period, f"{measure}/{split}", value))
    return sorted(found, key=lambda scalar: scalar[0])


def _event(step: int, tag: str, value: float, at: float) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    scalar = Summary.Value(tag=tag, simple_value=value)
    return Event(step=step, wall_time=at, summary=Summary(value=[scalar]))


def _named(curve: Curve) -> str:
    """A run as the name of a folder: whatever a rule is called, it stays in there."""
    run = curve.run
    settings = "".join(f"-{k}{v:g}" for k, v in run.configuration.others)
    steps = f"-steps{run.steps}" if run.stage == SHORTER else ""
    return f"{file_name(run.rule)}-{run.learning_rate:g}{settings}-seed{run.seed}{steps}"


def _lacking(what: str, library: str, extra: str) -> InvalidArgument:
    return InvalidArgument(f"{what} needs {library}, which is not installed: {install(extra)}")


FORMATS: dict[str, Callable[[Results, Path], list[Path]]] = {
    "csv": _csv,
    "parquet": _parquet,
    "tensorboard": _tensorboard,
}
