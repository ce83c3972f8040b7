"""A rule as a Keras optimizer where Keras divides one training among several devices.

They are four of XLA's on this machine's CPU; the oracle is the same training on one of them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import QUICKLY

PROGRAM = Path(__file__).with_name("keras_devices.py")
WEIGHTS = [20, 16]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    results = tmp_path_factory.mktemp("devices") / "results.json"
    # Compiling takes longer than training.
    told = {**QUICKLY, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    told["XLA_FLAGS"] += " --xla_force_host_platform_device_count=4"
    subprocess.run(
        [sys.executable, str(PROGRAM), str(results)], env={**os.environ, **told}, check=True
    )
    return json.loads(results.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("way", "part"), [("batches", WEIGHTS), ("batches and weights", [20, 8])])
def test_divided_it_is_the_same_training(found: Any, way: str, part: list[int]) -> None:
    assert set(found[way]) == set(found["one device"])
    for rule, divided in found[way].items():
        alone = found["one device"][rule]
        assert alone["losses"][-1] < alone["losses"][0]
        assert (alone["devices"], divided["devices"]) == (1, 4)
        assert all(one == WEIGHTS for one in alone["parts"])
        # What a rule remembers of a weight lies where the weight does.
        assert len(divided["parts"]) > 1
        assert all(one == part for one in divided["parts"])
        # Another order of the sums, in float32.
        np.testing.assert_allclose(divided["losses"], alone["losses"], rtol=1e-5)
