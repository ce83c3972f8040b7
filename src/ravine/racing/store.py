"""Where a race keeps what it found: one SQLite file, one blob a segment of a run."""

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.errors import RavineError, WrongCall
from ravine.racing.plan import Plan, Run

FILE = "race.sqlite"
FORMAT = 1
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE runs (
    id TEXT PRIMARY KEY, stage TEXT NOT NULL, rule TEXT NOT NULL,
    learning_rate REAL NOT NULL, seed INTEGER NOT NULL,
    weights_digest TEXT NOT NULL, batches_digest TEXT NOT NULL,
    start BLOB NOT NULL
);
CREATE TABLE segments (
    run TEXT NOT NULL REFERENCES runs(id), segment INTEGER NOT NULL,
    losses BLOB NOT NULL, measures BLOB NOT NULL,
    PRIMARY KEY (run, segment)
);
"""


@dataclass(frozen=True)
class Curve:
    """What a run did. ``measures`` is (evaluations + 1, splits, measures), from before step one.

    The splits are validation and test; the first measure is the loss. ``losses`` is the training
    loss of each step, taken where the gradient was. float32, NaN once a run has diverged.
    """

    run: Run
    weights_digest: str
    batches_digest: str
    losses: NDArray[np.float32]
    measures: NDArray[np.float32]


class Store:
    """A race's file, open for one driver; or for reading, which asks for no right to write."""

    def __init__(self, folder: Path, reading: bool = False) -> None:
        path = folder / FILE
        if not path.exists():
            raise WrongCall(f"no race in '{folder}': there is no {FILE}")
        self.folder = folder
        # Between races the file is plain, so that it can be read where nothing may be written.
        logged = path.with_name(f"{FILE}-wal").exists()
        alone = reading and not logged and not os.access(folder, os.W_OK)
        mode = "mode=ro&immutable=1" if alone else "mode=ro" if reading else "mode=rw"
        self._db = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)
        self._reading = reading
        try:
            found = self.read_meta("format")
            if found != FORMAT:
                raise RavineError(
                    f"'{path}' has format {found}; this ravine reads format {FORMAT}: "
                    "use the version that wrote it"
                )
            if not reading:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error as error:
            self._db.close()
            raise RavineError(f"'{path}' is not a race that can be read: {error}") from error
        except RavineError:
            self._db.close()
            raise

    @classmethod
    def create(cls, folder: Path, meta: Mapping[str, Any]) -> "Store":
        """A new store in a folder that is new or empty."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(folder / FILE)) as db, db:
                db.executescript(_SCHEMA)
                rows = {"format": FORMAT, **meta}.items()
                db.executemany(
                    "INSERT INTO meta VALUES (?, ?)", [(k, json.dumps(v)) for k, v in rows]
                )
        except (OSError, sqlite3.Error) as error:
            raise RavineError(f"cannot write to '{folder}': {error}") from error
        return cls(folder)

    def close(self) -> None:
        """Close the file; after writing, the write-ahead log is folded into it."""
        if not self._reading:
            with suppress(sqlite3.OperationalError):  # someone reads: the last one out folds it
                self._db.execute("PRAGMA journal_mode=DELETE")
        self._db.close()

    def read_meta(self, key: str) -> Any:
        """A value that the race was created with."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    @property
    def plan(self) -> Plan:
        """What the race set out to do."""
        return Plan.from_json(self.read_meta("plan"))

    def segments_done(self) -> dict[str, int]:
        """How many segments of each run are stored, by run id."""
        return dict(self._db.execute("SELECT run, count(*) FROM segments GROUP BY run"))

    def begin(
        self, run: Run, weights_digest: str, batches_digest: str, start: NDArray[np.float32]
    ) -> None:
        """Note a run's beginning. Saying it twice changes nothing."""
        with self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(run.id, run.stage, run.rule, run.learning_rate, run.seed),
                    *(weights_digest, batches_digest, start.astype("<f4").tobytes()),
                ),
            )

    def add(
        self, parts: Iterable[tuple[str, int, NDArray[np.float32], NDArray[np.float32]]]
    ) -> None:
        """Store segments ``(run id, segment, losses, measures)``, all or none of them."""
        rows = [
            (run, segment, losses.astype("<f4").tobytes(), measures.astype("<f4").tobytes())
            for run, segment, losses, measures in parts
        ]
        with self._db:
            self._db.executemany("INSERT OR IGNORE INTO segments VALUES (?, ?, ?, ?)", rows)

    def curves(self) -> list[Curve]:
        """Every finished run, in the order in which the plan lists rules, rates and seeds."""
        plan = self.plan
        shape = (-1, 2, len(plan.facts.measures))
        parts: dict[str, list[tuple[bytes, bytes]]] = {}
        query = "SELECT run, losses, measures FROM segments ORDER BY run, segment"
        for run, losses, measures in self._db.execute(query):
            parts.setdefault(run, []).append((losses, measures))
        curves = []
        for id_, stage, rule, rate, seed, weights, batches, start in self._db.execute(
            "SELECT * FROM runs"
        ):
            segments = parts.get(id_, [])
            if len(segments) < plan.segments:
                continue
            losses = np.frombuffer(b"".join(s[0] for s in segments), "<f4")
            measured = start + b"".join(s[1] for s in segments)
            run = Run(id_, stage, rule, rate, seed)
            measures = np.frombuffer(measured, "<f4").reshape(shape)
            curves.append(Curve(run, weights, batches, losses, measures))
        order = {rule: i for i, rule in enumerate(plan.choices.rules)}
        stages = ("tuning", "reference", "fresh")
        return sorted(
            curves,
            key=lambda c: (
                stages.index(c.run.stage),
                order[c.run.rule],
                c.run.learning_rate,
                c.run.seed,
            ),
        )
