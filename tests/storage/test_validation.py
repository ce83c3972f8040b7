"""A race's file that is damaged, or a stranger's, is one clear line."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ravine
from ravine.errors import RavineError
from ravine.storage.store import FILE

VALUES: list[Any] = [
    *(None, True, -1, 10**30, 1e308, float("nan")),
    *("", "x", "../x", [], [[]], {}, {"a": 1}),
]
BLOBS: list[Any] = [None, -1, 10**15, 1e308, "x", "", b"", b"abc", b"\0" * 7]
SAMPLE = 60
Change = tuple[str, str, tuple[Any, ...]]  # a name, and what changes the file


def ways(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """To everything in a nest; of a long list to its first two."""
    yield way
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else range(min(2, len(value)))
        for key in keys:
            yield from ways(value[key], (*way, key))


def changed(value: Any, way: tuple[Any, ...], new: Any) -> Any:
    if not way:
        return new
    copy = json.loads(json.dumps(value))
    held = copy
    for key in way[:-1]:
        held = held[key]
    held[way[-1]] = new
    return copy


def of_meta(key: str, text: str) -> Iterator[Change]:
    value = json.loads(text)
    plan = key == "plan"  # which is a text in a text
    nest = json.loads(value) if plan else value
    written = "UPDATE meta SET value = ? WHERE key = ?"
    for way in ways(nest):
        for new in VALUES:
            said = json.dumps(changed(nest, way, new))
            yield f"{key}{way} = {new!r}", written, (json.dumps(said) if plan else said, key)
    yield f"{key} is no JSON", written, ("{", key)
    yield f"{key} is deep", written, ("[" * 100_000, key)
    yield f"no {key}", "DELETE FROM meta WHERE key = ?", (key,)


def of_table(table: str, columns: list[str]) -> Iterator[Change]:
    first = f"WHERE rowid IN (SELECT rowid FROM {table} LIMIT 1)"
    for column in columns:
        for new in BLOBS:
            yield f"{table}.{column} = {new!r}", f"UPDATE {table} SET {column} = ? {first}", (new,)
            all_ = f"UPDATE OR IGNORE {table} SET {column} = ?"
            yield f"all {table}.{column} = {new!r}", all_, (new,)
    yield f"no table {table}", f"DROP TABLE {table}", ()
    yield f"nothing in {table}", f"DELETE FROM {table}", ()
    yield f"a view of {table}", f"CREATE VIEW more AS SELECT * FROM {table}", ()


def changes(file: Path) -> list[Change]:
    with closing(sqlite3.connect(file)) as db:
        meta = dict(db.execute("SELECT key, value FROM meta"))
        found = [change for key, text in meta.items() for change in of_meta(key, text)]
        tables = [
            name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        for table in tables:
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            found += of_table(table, columns) if table != "meta" else []
    return found


def apply(file: Path, change: Change) -> bool:
    """Whether the file could be changed so: some columns must not be empty."""
    try:
        with closing(sqlite3.connect(file)) as db, db:
            db.execute(*change[1:])
    except (sqlite3.Error, OverflowError):
        return False
    return True


def refusal(folder: Path) -> str:
    """What is said of a file that is refused; nothing of one that is read."""
    try:
        race = ravine.Race.open(folder)
        race.results.to_json()
        assert len(race.leaderboard) > 0
    except RavineError as error:
        return str(error)
    return ""


def test_any_change_to_a_file_is_read_or_refused_in_one_line(
    tiny_race: Path, tmp_path: Path
) -> None:
    every = changes(tiny_race / FILE)
    draw = np.random.default_rng(0)
    refused = 0
    for i in draw.choice(len(every), SAMPLE, replace=False):
        shutil.copy(tiny_race / FILE, tmp_path / FILE)
        if not apply(tmp_path / FILE, every[i]):
            continue
        try:
            said = refusal(tmp_path)
        except Exception as error:
            pytest.fail(f"{every[i][0]}: {type(error).__name__}: {error}")
        refused += bool(said)
        assert "\n" not in said, every[i][0]
    assert refused > SAMPLE / 3


@pytest.mark.parametrize(
    ("way", "new", "said"),
    [
        (
            ("choices", "tuning_seeds"),
            "x",
            r"plan: Expected `int`, got `str` - at `\$.choices.tuning_seeds`",
        ),
        (("choices", "repetitions"), 10**9, "plan.choices: more seeds than there are"),
        (("choices", "reference"), "lion", "plan.choices.reference: 'lion'"),
        (("choices", "learning_rates", "sgd"), [], "learning_rates.sgd: 0 learning rates"),
        (("facts", "blocks"), 7, "plan.facts.blocks: 7"),
        (("steps",), 10**12, "plan.steps: 1000000000000 steps in periods of"),
        (("sources", "sgd"), "x", "the run '.*': is not what its row says"),
    ],
)
def test_what_is_wrong_is_named(
    tiny_race: Path, tmp_path: Path, way: tuple[str, ...], new: Any, said: str
) -> None:
    shutil.copy(tiny_race / FILE, tmp_path / FILE)
    plan = json.loads(ravine.Race.open(tiny_race).plan.to_json())
    text = json.dumps(json.dumps(changed(plan, way, new)))
    assert apply(tmp_path / FILE, ("", "UPDATE meta SET value = ? WHERE key = 'plan'", (text,)))
    with pytest.raises(RavineError, match=rf"is not a race that can be read: .*{said}"):
        ravine.Race.open(tmp_path)
