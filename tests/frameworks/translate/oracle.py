"""The real optimizers of one framework, built from lines of code and walked, in one process.

``python oracle.py LINES.json RESULTS.npz`` with KERAS_BACKEND set. LINES has by line the kinds of
learning rates to walk it with; Keras's are walked on that backend, and in the same process what
lies beside it: PyTorch with torch, Optax with jax, TensorFlow 1 with tensorflow. RESULTS then holds
the points of each walk by its kind and line.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Keras imports them where they are installed, and nothing here needs them: seconds.
    sys.modules |= dict.fromkeys(("sklearn", "pandas"))  # type: ignore[arg-type]

import keras
import numpy as np
from walking import FACTORS, problem_of


def main(lines: str, results: str) -> None:
    keras.config.set_floatx("float64")
    walker = importlib.import_module(f"by_{keras.backend.backend()}")
    found: dict[str, Any] = {}
    for line, kinds in json.loads(Path(lines).read_text(encoding="utf-8")).items():
        paths = walker.walked(line, [FACTORS[kind] for kind in kinds], problem_of(line))
        found |= {f"{kind} {line}": path for kind, path in zip(kinds, paths, strict=True)}
    np.savez(results, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
