"""Advice is followed: what each message tells its reader to do is done here, and works.

``source.py`` finds every text of ravine's that gives advice, the tables beside it have for each
what brings it about and the same done as advised. ``ELSEWHERE`` names other tests that do so, and
``UNFOLLOWED`` what no test can, with the reason. A new text fails until it has its place.
"""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ravine.errors import RavineError

pytestmark = pytest.mark.filterwarnings(
    # Keras's own, whenever it reads a variable as NumPy 2 has it.
    "ignore:__array__ implementation doesn't accept a copy"
)
HERE = Path(__file__).parent
SOURCE: dict[str, Any] = runpy.run_path(str(HERE / "source.py"))
Texts = set[tuple[str, str]]
Entry = tuple[str, Callable[[], Any] | None, Callable[[], Any] | str]
FOLLOWED: list[Entry] = [
    entry
    for name in ("frameworks", "racing", "data", "files")
    for entry in runpy.run_path(str(HERE / f"{name}.py"))["FOLLOWED"]
]
# What no test does, and why.
UNFOLLOWED = {
    "of the GPU's memory, of which there are {}": "needs a GPU that is too small",
    "JAX finds no GPU on {}": "needs a GPU, or one more package than there is",
    "Ray finds no GPU on this machine": "needs a node with a GPU",
    "--ray needs Ray: pip install": "an installation is no test; test_ray.py has the extra",
    "a node of the cluster has {}": "needs two nodes with versions of their own",
    "use the version that wrote it": "needs an older ravine",
    "this race would need {} {} of memory": "test_sizing.py has what fits and what does not",
    "and there are {} left where '{}' is": "needs a full disk",
    "only what JAX can run has levers to vary": "each is a race as in test_native_race.py",
    "ravine does not ship {}: call ravine.suite again": "a suite of own tasks is in no test",
    "{} hardly learned: the target": "a remark on results; longer races are all others",
    "gradient descent hardly learned under the first values": "the same of levers",
}
# Texts that only look like it.
NO_ADVICE = """Race | Ablation
write to
race of levers
levers: {}, race {} of {}
lower quartile
run {}
Keras on {}, run after run
try out {}
name in {}
vary: {} has '{}' twice
So this race goes on in {} itself, run after run""".splitlines()


@pytest.fixture(scope="module")
def advice() -> Texts:
    """Every file's texts that give advice."""
    found: Texts = SOURCE["advice"]()
    return found


@pytest.mark.parametrize(("part", "wrong", "right"), FOLLOWED, ids=[part for part, *_ in FOLLOWED])
def test_advice_works(advice: Texts, part: str, wrong: Any, right: Any) -> None:
    texts = [text for _, text in advice if part in text]
    assert texts, f"no text says {part!r}"
    if wrong is not None:
        with pytest.raises((RavineError, ValueError)) as error:
            wrong()
        assert any(SOURCE["pattern"](text).search(str(error.value)) for text in texts)
    if isinstance(right, str):  # another test does it
        file, _, name = right.partition("::")
        assert f"\ndef {name}(" in (HERE.parents[1] / file).read_text(encoding="utf-8")
    else:
        right()


def test_every_advice_has_a_test_that_follows_it(advice: Texts) -> None:
    known = [*(part for part, *_ in FOLLOWED), *UNFOLLOWED, *NO_ADVICE]
    lacking = {found for found in advice if not any(part in found[1] for part in known)}
    assert not lacking


def test_the_exceptions_are_still_there(advice: Texts) -> None:
    for part in [*UNFOLLOWED, *NO_ADVICE]:
        assert any(part in text for _, text in advice), part
