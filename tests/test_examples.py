"""The examples run as they stand, and show what they say they show."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ravine
from ravine.execution import session
from ravine.execution.in_process import InProcess
from ravine.execution.worker_backend import Local, WorkerBackend

EXAMPLES = Path(__file__).parents[1] / "examples"


def names_of(example: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / example))


# As users run it: a script without a main guard that defines its model, trained by workers.
AS_A_SCRIPT = "own_model_on_tensorflow.py"
# But for its pages, which take longer than the race. Keras is for the script to import.
RUN = """
import runpy, sys
from ravine.execution import session

session.publish_pages, session.vega.prepare = lambda race: None, lambda: None
assert "keras" not in sys.modules
runpy.run_path(sys.argv[1], run_name="__main__")
"""
# A rule of the user's own, which goes to a worker by value: no module has it.
OWN_RULE = "your_own_rule.py"


def test_a_script_runs_with_keras_on_tensorflow(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, EXAMPLES / AS_A_SCRIPT],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Sequential on tensorflow" in done.stdout
    (model,) = tmp_path.glob("ravine-runs/*/best.keras")
    assert model.stat().st_size


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras
@pytest.mark.parametrize(
    "example", sorted(p.name for p in EXAMPLES.glob("*.py") if p.name != AS_A_SCRIPT)
)
def test_it_runs(
    example: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    no_pages: None,
) -> None:
    """A race trains in this process, unless it is of a rule in the example; it has no pages.

    Where the example leaves that open, it has as few runs as can be.
    """
    race = ravine.race

    def briefly(*given: Any, **asked: Any) -> Any:
        return race(*given, **{"tuning_seeds": 1, "eval_seeds": 2} | asked)

    def here(_: object, bench: Any) -> WorkerBackend:
        return Local(1, bench) if example == OWN_RULE else InProcess(bench)

    monkeypatch.setattr(session, "here", here)
    monkeypatch.setattr(ravine, "race", briefly)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / example), run_name="__main__")
    assert capsys.readouterr().out


def test_momentum_forms_agree_until_the_rate_changes_inside_the_velocity() -> None:
    gaps = names_of("momentum_forms.py")["gaps"]
    mean, inside = gaps([0.02] * 60)
    assert max(mean, inside) < 1e-14
    mean, inside = gaps([0.02] * 10 + [0.002] * 50)
    assert mean < 1e-14
    assert inside > 0.1


def test_the_printed_lookahead_looks_back() -> None:
    names = names_of("nesterov_lookahead.py")
    right, printed = names["ravine"].Nesterov, names["AsPrinted"]
    for rate in (0.05, 0.5):
        assert names["walk"](right(learning_rate=rate, momentum=0.9)).values[-1] < 1e-3
        assert names["walk"](printed(learning_rate=rate, momentum=0.9)).values[-1] > 1e3


def test_the_rewritten_nesterov_is_the_true_one() -> None:
    assert names_of("nesterov_rewritten.py")["gap"]() < 1e-14
