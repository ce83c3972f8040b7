"""Where a race keeps what it found: one SQLite file, one blob a segment of a run."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.errors import InvalidArgument, RavineError
from ravine.experiment.configuration import Configuration
from ravine.experiment.curve import Curve
from ravine.experiment.plan import STAGES, Plan, Run
from ravine.storage import signing, validation

FILE = "race.sqlite"
STEP_SECONDS = "step_seconds"  # what is known of how long a step of each rule takes
COST = "cost"  # what the race was found to cost, as ``experiment.cost`` has it; for estimates alone
BEST = "best"  # what is known of the winner's model that is kept
CHECKS = "checks"  # claims that were run again, as ``analysis.replication`` writes them
CONFIRMATIONS = "confirmations"  # the same, of runs in a framework of the user's
PAYLOAD = "payload"  # the digest of the pickle that belongs to the plan, and the signature of both
CONFIRM = "crosscheck"  # the framework in which a race is to be confirmed once it is finished
WORK = "work"  # the folder, inside that of the race, through which workers share files
FORMAT = 7  # before, races were tuned and judged by another protocol
SPLITS = 2  # that are evaluated: validation, test


def _why_not(found: Any) -> str:
    """Why a store of another format is not read."""
    said = f"has format {found}; this ravine reads format {FORMAT}: "
    if isinstance(found, int) and 0 < found < FORMAT:
        said += "races were tuned and judged by another protocol then; race anew, or "
    return said + "use the version that wrote it"


class Store:
    """A race's file, open for one driver; or for reading, which asks for no right to write."""

    def __init__(self, folder: Path, reading: bool = False) -> None:
        path = folder / FILE
        if not path.exists():
            early = (folder / f"{FILE}.part").exists() or (folder / WORK).exists()
            why = "one was stopped before it had a plan; begin it anew" if early else f"no {FILE}"
            raise InvalidArgument(f"no race in '{folder}': {why}")
        self.folder = folder
        # Between races the file is plain, so that it can be read where nothing may be written.
        logged = path.with_name(f"{FILE}-wal").exists()
        alone = reading and not logged and not os.access(folder, os.W_OK)
        mode = "mode=ro&immutable=1" if alone else "mode=ro" if reading else "mode=rw"
        self._reading = reading
        try:
            self._db = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)
        except sqlite3.Error as error:
            raise RavineError(f"'{path}' cannot be opened: {error}") from error
        try:
            with self._known():
                validation.check_tables(
                    dict(self._db.execute("SELECT name, type FROM sqlite_master"))
                )
            found = self.read_meta("format")
            if found != FORMAT:
                raise RavineError(f"'{path}' {_why_not(found)}")
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
        made = folder / f"{FILE}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            made.unlink(missing_ok=True)
            with closing(sqlite3.connect(made)) as db, db:
                db.executescript(validation.SCHEMA)
                rows = {"format": FORMAT, **meta}.items()
                db.executemany(
                    "INSERT INTO meta VALUES (?, ?)", [(k, json.dumps(v)) for k, v in rows]
                )
            made.replace(folder / FILE)  # killed at any moment, there is a whole plan or none
        except (OSError, sqlite3.Error) as error:
            with suppress(OSError):
                made.unlink()
            raise RavineError(f"cannot write to '{folder}': {error}") from error
        return cls(folder)

    def close(self) -> None:
        """Close the file; after writing, the write-ahead log is folded into it."""
        if not self._reading:
            with suppress(sqlite3.Error):  # someone reads, or the disk is full: another folds it
                self._db.execute("PRAGMA journal_mode=DELETE")
        self._db.close()

    def read_meta(self, key: str) -> Any:
        """A value that the race was created with."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        with self._known():
            return None if row is None else validation.read(row[0], key)

    def write_meta(self, key: str, value: Any) -> None:
        """Keep a value, in the place of the one before."""
        with self._writing():
            self._put(key, value)

    @property
    def plan(self) -> Plan:
        """What the race set out to do."""
        with self._known():
            return validation.read_plan(self.read_meta("plan") or "")

    @property
    def rules(self) -> dict[str, dict[str, Any]]:
        """The hyperparameters of each rule, as it was raced."""
        with self._known():
            return validation.check_rules(self.read_meta("rules"), self.plan)

    def replan(self, plan: Plan) -> None:
        """The race sets out to do more."""
        payload = self.payload()
        with self._writing():  # killed at any moment, the plan has its own signature
            self._put("plan", plan.to_json())
            if payload is not None:
                self._put(PAYLOAD, _signed(plan.to_json(), payload))

    def sign(self, payload: str) -> None:
        """Sign that the pickle of this digest belongs to the plan."""
        self.write_meta(PAYLOAD, _signed(self.read_meta("plan"), payload))

    def payload(self) -> str | None:
        """The digest of the pickle that this user signed with the plan; None without one."""
        match self.read_meta(PAYLOAD):
            case [str(payload), str(signature)]:
                known = signing.is_signed(self.read_meta("plan"), payload, signature)
                return payload if known else None
        return None

    def segments_done(self) -> dict[str, int]:
        """How many segments of each run are stored, by run id."""
        return dict(self._db.execute("SELECT run, count(*) FROM segments GROUP BY run"))

    def narrowed(self) -> dict[str, int]:
        """How many lanes the program has that each narrowed run is done with, by run id."""
        return {id_: width for id_, *_, width, _ in self._marks()}

    def failed(self) -> set[str]:
        """The ids of the runs that could not be done."""
        return {id_ for id_, *_, failure in self._marks() if failure}

    def narrow(self, runs: Sequence[Run], width: int) -> None:
        """These runs begin again, with fewer lanes: a curve is of one program from end to end."""
        self._mark(runs, width, "")

    def fail(self, runs: Sequence[Run], width: int, why: str) -> None:
        """These runs could not be done."""
        self._mark(runs, width, why)

    def stopped(self) -> set[str]:
        """The ids of the runs that were stopped early."""
        return {id_ for (id_,) in self._db.execute("SELECT run FROM stopped")}

    def stop(self, runs: Iterable[Run]) -> None:
        """These runs end here; what is stored of them is their curve."""
        with self._writing():
            self._db.executemany(
                "INSERT OR IGNORE INTO stopped VALUES (?)", [(run.id,) for run in runs]
            )

    def measured(self, runs: Iterable[Run]) -> dict[Run, NDArray[np.float32]]:
        """What was measured of each run so far, (evaluations + 1, splits, measures)."""
        shape = _shape(self.plan)
        found = {}
        for run in runs:
            query = "SELECT start FROM runs WHERE id = ? UNION ALL SELECT * FROM (SELECT measures "
            query += "FROM segments WHERE run = ? ORDER BY segment)"
            parts = [part for (part,) in self._db.execute(query, (run.id, run.id))]
            found[run] = np.frombuffer(b"".join(parts), "<f4").reshape(shape)[:, :SPLITS]
        return found

    def begin(self, runs: Iterable[tuple[Run, Sequence[Any]]]) -> None:
        """Note how runs began: (weights digest, batches digest, what was measured) of each.

        Saying it twice changes nothing.
        """
        self.add((), runs)

    def add(
        self,
        parts: Iterable[tuple[str, int, NDArray[np.float32], NDArray[np.float32]]],
        begun: Iterable[tuple[Run, Sequence[Any]]] = (),
    ) -> None:
        """Store segments ``(run id, segment, losses, measures)``, all or none of them.

        With them, how the runs began that are new: see ``begin``.
        """
        beginnings = [
            (
                *_columns(run),
                *(weights_digest, batches_digest, start.astype("<f4").tobytes()),
            )
            for run, (weights_digest, batches_digest, start) in begun
        ]
        rows = [
            (run, segment, losses.astype("<f4").tobytes(), measures.astype("<f4").tobytes())
            for run, segment, losses, measures in parts
        ]
        with self._writing():  # one transaction: the disk is waited for once
            run = "INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            self._db.executemany(run, beginnings)
            self._db.executemany("INSERT OR IGNORE INTO segments VALUES (?, ?, ?, ?)", rows)

    def curves(self) -> list[Curve]:
        """Every run that is over, in the order of the plan's rules, rates and seeds."""
        with self._reading_from(), self._known():
            return self._curves()

    def keep_elsewhere(
        self, framework: str, run: str, measures: Any, seconds: Any, random: bool
    ) -> None:
        """Store what a run did in a framework of the user's; see ``elsewhere.Fitted``."""
        blobs = (array.astype("<f4").tobytes() for array in (measures, seconds))
        with self._writing():
            self._db.execute(
                "INSERT OR IGNORE INTO elsewhere VALUES (?, ?, ?, ?, ?)",
                (framework, run, int(random), *blobs),
            )

    def elsewhere(self) -> dict[tuple[str, str], tuple[Any, Any, bool]]:
        """By framework and run id: measures, (evaluations + 1, measures), seconds, random."""
        count, found = len(self.plan.facts.measures), {}
        with self._reading_from(), self._known():
            for columns in self._db.execute("SELECT * FROM elsewhere"):
                framework, run, random, measures, seconds = validation.row(columns, "elsewhere")
                evaluations = len(seconds) // 4
                validation.expect_bytes(seconds, evaluations, "elsewhere")
                validation.expect_bytes(measures, (evaluations + 1) * count, "elsewhere")
                arrays = np.frombuffer(measures, "<f4"), np.frombuffer(seconds, "<f4")
                found[framework, run] = arrays[0].reshape(-1, count), arrays[1], bool(random)
        return found

    def _put(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def _curves(self) -> list[Curve]:
        plan = self.plan
        shape = _shape(plan)
        narrowed, failed, stopped = self.narrowed(), self.failed(), self.stopped()
        parts: dict[str, list[tuple[bytes, bytes]]] = {}
        query = "SELECT run, segment, losses, measures FROM segments ORDER BY run, segment"
        for row in self._db.execute(query):
            run, segment, losses, measures = validation.row(row, "segments")
            own = parts.setdefault(run, [])
            if segment != len(own):
                raise validation.Foreign(f"segments: {segment} of the run '{run}' after {len(own)}")
            own.append((losses, measures))
        curves, starts = [], {}
        for row in self._db.execute("SELECT * FROM runs"):
            *columns, weights, batches, start = validation.row(row, "runs")
            run = _run(*columns)
            validation.check_run(run, plan)
            validation.check_sizes(run, plan, shape, start, parts.get(run.id, []))
            starts[run.stage, run.seed, run.steps] = (weights, batches, start)
            segments = parts.get(run.id, [])
            early = run.id in stopped
            if (len(segments) < len(plan.cuts(run)) and not early) or run.id in failed:
                continue
            losses = np.frombuffer(b"".join(s[0] for s in segments), "<f4")
            measured = start + b"".join(s[1] for s in segments)
            every = np.frombuffer(measured, "<f4").reshape(shape)
            measures, blocks = every[:, :SPLITS], every[:, SPLITS:] if plan.facts.blocks else None
            lanes = narrowed.get(run.id, plan.width)
            lanes = lanes if lanes < plan.width else 0
            curves.append(Curve(run, weights, batches, losses, measures, "", lanes, early, blocks))
        for *columns, _, failure in self._marks():
            if failure:
                run = _run(*columns)
                validation.check_run(run, plan)
                start = starts.get((run.stage, run.seed, run.steps))
                curves.append(_failed(run, failure, plan, start))
        order = {rule: i for i, rule in enumerate(plan.choices.rules)}
        return sorted(
            curves,
            key=lambda c: (
                STAGES.index(c.run.stage),
                order[c.run.rule],
                c.run.configuration,
                c.run.seed,
                c.run.steps,
            ),
        )

    def _marks(self) -> list[tuple[Any, ...]]:
        with self._known():
            return [validation.row(r, "marks") for r in self._db.execute("SELECT * FROM marks")]

    def _mark(self, runs: Sequence[Run], width: int, failure: str) -> None:
        with self._writing():
            self._db.executemany(
                "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(*_columns(run), width, failure) for run in runs],
            )
            ids = [(run.id,) for run in runs]
            self._db.executemany("DELETE FROM segments WHERE run = ?", ids)
            self._db.executemany("DELETE FROM runs WHERE id = ?", ids)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """All of it or nothing."""
        try:
            with self._db:
                yield
        except sqlite3.Error as error:
            raise RavineError(f"cannot write to '{self.folder / FILE}': {error}") from error

    @contextmanager
    def _known(self) -> Iterator[None]:
        """What is read is what a race writes, or it is refused in one line."""
        try:
            yield
        except validation.Foreign as error:
            path = self.folder / FILE
            raise RavineError(f"'{path}' is not a race that can be read: {error}") from error

    @contextmanager
    def _reading_from(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise RavineError(f"cannot read '{self.folder / FILE}': {error}") from error


def _shape(plan: Plan) -> tuple[int, int, int]:
    """Of what was measured of a run: its evaluations, splits and blocks of test rows, measures."""
    return -1, SPLITS + plan.facts.blocks, len(plan.facts.measures)


def _columns(run: Run) -> tuple[Any, ...]:
    """A run as the tables have it."""
    one = run.configuration
    return run.id, run.stage, run.rule, one.learning_rate, one.others_json, run.seed, run.steps


def _run(
    id_: str, stage: str, rule: str, learning_rate: float, others: str, seed: int, steps: int
) -> Run:
    configuration = Configuration.of(learning_rate, validation.read(others, "others"))
    return Run(id_, stage, rule, configuration, seed, steps)


def _signed(plan: str, payload: str) -> tuple[str, str]:
    """What ``PAYLOAD`` keeps; who has no place for a key names the task again."""
    try:
        return payload, signing.signature(plan, payload)
    except OSError:
        return payload, ""


def _failed(run: Run, why: str, plan: Plan, start: tuple[str, str, bytes] | None) -> Curve:
    """No curve; what its seed sets out from is known if another rule's run has been there."""
    steps = run.steps
    shape = steps // plan.period + 1, SPLITS, len(plan.facts.measures)
    measures = np.full(shape, np.nan, np.float32)
    losses = np.full(steps, np.nan, np.float32)
    if start is None:
        return Curve(run, "", "", losses, measures, why)
    weights, batches, first = start
    measures[0] = np.frombuffer(first, "<f4").reshape(_shape(plan)[1:])[:SPLITS]
    return Curve(run, weights, batches, losses, measures, why)
