"""What every test stands on: one Keras backend for this process, quiet libraries, own cache."""

import os
import tempfile

from hypothesis import HealthCheck, settings

# Keras chooses its backend once, at its first import.
os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# Compiled programs of the tests are shared among them and not left behind for the user.
os.environ.setdefault("RAVINE_CACHE", tempfile.mkdtemp(prefix="ravine-test-cache-"))
# No test asserts a time, and a busy machine is no failure.
settings.register_profile("ravine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ravine")

# Programs of their own, which import what lies beside them.
collect_ignore_glob = ["**/keras_oracle.py", "**/large.py"]
