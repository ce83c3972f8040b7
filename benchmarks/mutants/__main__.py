"""Whether the tests notice when a line of ravine is wrong.

python -m benchmarks.mutants --coverage FILE --durations FILE [--count 165] [--seed 19]
                             [--clone DIR ...] [--mutants FILE] [--out FILE]

A seeded sample of changes, each made in a clone of the repository of its own (``--clone``, one for
every process), in which the tests that run the changed line are run until one fails. Which tests
those are says ``--coverage``, a file of coverage.py with the context of each test; how long they
take ``--durations``, pytest's ``--junitxml``. ``--mutants`` names the results of an earlier run,
whose changes are tried again on the source of today. What ``--out`` has already is not tried again.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from threading import Timer
from typing import Any
from xml.etree import ElementTree

from benchmarks.mutants.sites import Mutant, sample

ALIKE = 3  # of the cases of one test function, the quickest, that are tried
FIRST = 6  # tests that are tried by themselves: most mutants need no more, nor all other files
PYTEST = ("-xq", "-p", "no:cacheprovider")
SECONDS = 120.0  # that the tests of a mutant may take when nothing is wrong
PATIENCE = 120.0  # seconds more, after which a mutant has hung, which is noticed too
moments = count(2_000_000_000)  # of files: no bytecode of before passes for that of now


def main() -> None:
    """Draw the mutants, try each, say what came of it."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--coverage", type=Path, required=True)
    parser.add_argument("--durations", type=Path, required=True)
    parser.add_argument("--count", type=int, default=165)
    parser.add_argument("--seed", type=int, default=19)
    parser.add_argument("--clone", type=Path, action="append", required=True)
    parser.add_argument("--mutants", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    if asked.mutants:
        known = json.loads(asked.mutants.read_text(encoding="utf-8"))
        drawn = [Mutant(**one["mutant"]) for one in known]
    else:
        drawn = sample(asked.count, asked.seed)
    durations = seconds(asked.durations)
    clones: SimpleQueue[Clone] = SimpleQueue()
    for clone in asked.clone:
        clones.put(Clone(clone.resolve()))
    found: list[dict[str, Any]] = []
    if asked.out.exists():
        found = json.loads(asked.out.read_text(encoding="utf-8"))
    there = {Mutant(**one["mutant"]) for one in found}
    left = [mutant for mutant in drawn if mutant not in there]

    def try_(mutant: Mutant) -> None:
        clone = clones.get()
        try:
            ids = tests(mutant, asked.coverage, durations)
            result = attempt(mutant, clone, ids)
        finally:
            clones.put(clone)
        found.append({"mutant": asdict(mutant), "tests": len(ids), "result": result})
        asked.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
        print(f"{len(found)}/{len(drawn)} {result[:60]:60} {mutant.name}", flush=True)

    with ThreadPoolExecutor(len(asked.clone)) as pool:
        list(pool.map(try_, left))
    results = Counter(one["result"].partition(" ")[0] for one in found)
    print(dict(results))


def seconds(junit: Path) -> Mapping[str, float]:
    """How long each test took, by file, function and case."""
    cases = ElementTree.parse(junit).iter("testcase")  # noqa: S314 — our own file
    return {
        f"{case.get('classname')}::{case.get('name')}": float(case.get("time") or 0)
        for case in cases
    }


def tests(mutant: Mutant, coverage: Path, durations: Mapping[str, float]) -> list[str]:
    """The tests that run the line, the quickest first, as many as may be tried."""
    by_line = contexts_of(mutant.file, coverage)
    contexts = {c for line in _lines(mutant) for c in by_line.get(line, ())}
    known = {name for context in contexts if (name := _test(context))}
    if not known:  # it runs when the file is imported
        known = {name for some in by_line.values() for c in some if (name := _test(c))}
    heaviest = _heaviest(durations)
    functions: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for name in known:
        file, _, case = name.partition("::")
        module = file.removesuffix(".py").replace("/", ".")
        took = durations.get(f"{module}::{case}", 5.0)
        shared = heaviest.get(module, 5.0)  # what all tests of the file wait for, about
        functions[name.partition("[")[0]].append((took + shared, took, name))
    tried = sorted(one for cases in functions.values() for one in sorted(cases)[:ALIKE])
    chosen, total = [], 0.0
    for _, took, name in tried:
        total += took
        if total < SECONDS:
            chosen.append(name)
    return chosen


def _heaviest(durations: Mapping[str, float]) -> Mapping[str, float]:
    """The longest test of each file: its first has the fixtures that it shares with the others."""
    found: dict[str, float] = defaultdict(float)
    for name, took in durations.items():
        module = name.partition("::")[0]
        found[module] = max(found[module], took)
    return found


@cache
def contexts_of(name: str, coverage: Path) -> Mapping[int, Sequence[str]]:
    """What ran each line of a file."""
    from coverage import CoverageData

    data = CoverageData(str(coverage))
    data.read()
    (file,) = [f for f in data.measured_files() if f.endswith(f"/src/ravine/{name}")]
    return data.contexts_by_lineno(file)


class Clone:
    """A clone of the repository, with its environment in ``.venv``, and who runs its tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sound: set[str] = set()
        self._nursery = subprocess.Popen(
            [folder / ".venv/bin/python", Path(__file__).with_name("nursery.py")],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, ids: Sequence[str], place: Path) -> tuple[int, str]:
        """Run those tests: the exit status, and what was printed. Raises ``TimeoutExpired``."""
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        output = place / "output"
        asked = {
            "arguments": [*PYTEST, *ids],
            "environment": {"RAVINE_CACHE": str(place / "cache")},
            "output": str(output),
        }
        self._nursery.stdin.write(json.dumps(asked) + "\n")
        self._nursery.stdin.flush()
        group, hung = int(self._nursery.stdout.readline()), []

        def kill() -> None:
            hung.append(True)
            os.killpg(group, signal.SIGKILL)

        timer = Timer(SECONDS + PATIENCE, kill)
        timer.start()
        code = int(self._nursery.stdout.readline())
        timer.cancel()
        if hung:
            raise subprocess.TimeoutExpired("pytest", SECONDS + PATIENCE)
        return code, output.read_text(encoding="utf-8", errors="replace")

    def sound(self, test: str, place: Path) -> bool:
        """Whether a test passes where nothing is changed."""
        if test not in self._sound and self.run([test], place)[0] == 0:
            self._sound.add(test)
        return test in self._sound


def attempt(mutant: Mutant, clone: Clone, ids: Sequence[str]) -> str:
    """What came of it: a word, and which test failed.

    ``caught``, ``survived``, ``unseen`` where no test runs the line, ``gone`` where the source has
    it no more, ``unsound`` where the test fails without the change, too.
    """
    path = clone.folder / "src" / "ravine" / mutant.file
    text = path.read_text(encoding="utf-8")
    try:
        changed = mutant.apply(text)
    except ValueError:
        return "gone"
    if not ids:
        return "unseen"
    with tempfile.TemporaryDirectory(prefix="ravine-mutant-", ignore_cleanup_errors=True) as place:
        code, output = 0, ""
        try:
            _write(path, changed)
            for some in filter(None, (ids[:FIRST], ids[FIRST:])):
                code, output = clone.run(some, Path(place))
                if code:
                    break
        except subprocess.TimeoutExpired:
            return "caught hung"
        finally:
            _write(path, text)
        if code == 0:
            return "survived"
        # Brackets of cases may hold blanks, and a reason may follow.
        failed = re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.MULTILINE)
        if failed and not clone.sound(failed[0], Path(place)):
            return f"unsound {failed[0]}"
        return f"caught {failed[0] if failed else output[-300:]}"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    os.utime(path, (moment := next(moments), moment))


def _lines(mutant: Mutant) -> range:
    return range(mutant.line, mutant.line + mutant.before.count("\n") + 1)


def _test(context: str) -> str:
    """The test of a context: ``none|ID`` in the tests' process, ``ID (call)`` in its children."""
    name = re.sub(r" \((setup|call|teardown)\)$", "", context.rpartition("|")[2])
    return name if "::" in name else ""


if __name__ == "__main__":
    sys.exit(main())
