"""Pages, comparisons and exports are made where no engine is installed."""

import pickle
import subprocess
import sys
from pathlib import Path

ENGINE = ("jax", "jaxlib", "keras", "tensorflow", "torch", "optax")
CODE = """
import pickle, sys
from importlib.abc import MetaPathFinder
from pathlib import Path
class NotInstalled(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {engine}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NotInstalled())
from ravine import Race
from ravine.pages import comparison, report
from ravine.pages.export import export
results = pickle.loads(Path("results").read_bytes())
report.write(results, "report.html")
comparison.write({{"one": results, "two": results}}, "compared.html")
export(results, "csv", Path("csv"))
print(*[name for name in {engine} if name in sys.modules])
"""


def test_everything_that_is_shown_needs_no_engine(results, tmp_path: Path):
    (tmp_path / "results").write_bytes(pickle.dumps(results))
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(engine=ENGINE)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "\n"
    assert "Leaderboard" in (tmp_path / "report.html").read_text(encoding="utf-8")
