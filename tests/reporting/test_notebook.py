"""A notebook that races, executed by Jupyter's own kernel."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

RACE = """
import ravine
from ravine.execution import session
from ravine.reporting import notebook
session.publish_pages = session.vega.prepare = lambda *_: None  # of the files nobody looks at here
notebook.PAUSE = 0  # so that a race however short is seen to move
small = {"tuning_seeds": 1, "eval_seeds": 1, "epochs": 1, "workers": 0}
race = ravine.race("diabetes-linear", rules="sgd,adam", learning_rates="0.03,0.3", **small)
race
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_race_is_one_live_display_and_shows_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(RACE)])
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    changes: list[str] = []
    seen = client.process_message

    def process(message: dict, *rest: object) -> object:  # type: ignore[type-arg]
        if message["msg_type"] == "update_display_data":
            changes.append(message["content"]["data"]["text/plain"])
        return seen(message, *rest)

    monkeypatch.setattr(client, "process_message", process)
    client.execute()
    outputs = notebook.cells[0].outputs
    kinds = [output.output_type for output in outputs]
    assert kinds.count("execute_result") == 1
    assert not any("Traceback" in str(output) for output in outputs)
    # One place that changed while it ran, and is empty now.
    assert len(changes) > 3
    assert any("runs" in change and "SGD" in change.upper() for change in changes)
    emptied = [o for o in outputs if o.output_type == "display_data" and not o.data["text/plain"]]
    assert len(emptied) == 1
    page = outputs[-1].data["text/html"]
    for part in ("Too few seeds", "<table", "Adam", "data:image/svg+xml", "keras.optimizers."):
        assert part in page
