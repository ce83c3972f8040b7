"""A worker's Keras: quick to import, and nobody else's modules are hidden by it."""

import subprocess
import sys

CODE = """
import sys
from ravine.tasks import keras_import
keras_import.shorten()
import keras
assert not {"sklearn", "pandas"} & set(sys.modules), "they are still imported"
assert not any(type(finder).__name__ == "_Finder" for finder in sys.meta_path)
assert keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]).count_params() == 2
import pandas, sklearn.datasets
assert pandas.DataFrame({"a": [1]}).a[0] == 1
"""


def test_a_worker_imports_keras_without_what_it_does_not_use() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
