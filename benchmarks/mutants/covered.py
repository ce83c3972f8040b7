"""Line and branch coverage of ravine by its tests, processes that they start included.

python -m pip install 'coverage>=7.10'
python -m benchmarks.mutants.covered --out DIR [-- arguments of pytest]

``DIR/coverage`` then holds the coverage with the tests that run each line as contexts, and
``DIR/durations.xml`` how long they took: what ``python -m benchmarks.mutants`` asks for. Drivers
kill their workers, which would lose what they measured: while this runs, a file in the
environment's site-packages has them told to end first.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

SETTINGS = """
[run]
branch = true
parallel = true
source_pkgs = ravine
data_file = {out}/parts/coverage
patch = _exit
sigterm = true
concurrency = thread
context = ${{PYTEST_CURRENT_TEST-none}}
disable_warnings = no-data-collected,module-not-measured,module-not-imported,couldnt-parse,
    no-sysmon,already-imported
"""
ENDING = """
import os, subprocess

if os.environ.get("COVERAGE_PROCESS_START"):
    kill = subprocess.Popen.kill

    def kill(self):
        if self.poll() is None and "ravine.execution.worker" in self.args:
            try:
                self.terminate()
                self.wait(timeout=3)
            except (OSError, subprocess.TimeoutExpired):
                pass
        kill(self)

    subprocess.Popen.kill = end
"""
CONTEXTS = """
import coverage


def pytest_runtest_logstart(nodeid, location):
    measured = coverage.Coverage.current()
    if measured is not None:
        measured.switch_context(nodeid)
"""


def main() -> int:
    """Run the tests, put together what their processes measured, print the percentages."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("pytest", nargs="*")
    asked = parser.parse_args()
    out, packages = asked.out.resolve(), Path(sysconfig.get_path("purelib"))
    (out / "parts").mkdir(parents=True, exist_ok=True)
    settings = out / "settings.ini"
    settings.write_text(SETTINGS.format(out=out), encoding="utf-8")
    start = (
        'import os; exec("import ravine_ending" if "COVERAGE_PROCESS_START" in os.environ else "")'
    )
    added = {
        packages / "ravine_ending.py": ENDING,
        packages / "ravine_ending.pth": start + "\n",
        packages / "ravine_contexts.py": CONTEXTS,
    }
    words = asked.pytest or ["-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder"]
    try:
        for path, text in added.items():
            path.write_text(text, encoding="utf-8")
        tested = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "ravine_contexts"),
                *("--durations=40", f"--junitxml={out / 'durations.xml'}", *words),
            ],
            check=False,
            env={**os.environ, "COVERAGE_PROCESS_START": str(settings)},
        )
    finally:
        for path in added:
            path.unlink(missing_ok=True)
    measured = [sys.executable, "-m", "coverage"]
    whole = ["--data-file", str(out / "coverage")]
    parts = sorted(map(str, (out / "parts").glob("coverage.*")))
    subprocess.run(
        [*measured, "combine", "-q", "--keep", "--rcfile", str(settings), *whole, *parts],
        check=False,
        stderr=subprocess.DEVNULL,  # a part that was being written when its process was killed
    )
    subprocess.run([*measured, "report", "-i", "--rcfile", str(settings), *whole], check=True)
    return tested.returncode


if __name__ == "__main__":
    sys.exit(main())
