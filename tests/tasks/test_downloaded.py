"""Tasks whose data Keras downloads: its cache holds small files of its own formats here."""

import gzip
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine.errors import RavineError
from ravine.tasks import AT_HAND, TASKS, find

pytestmark = pytest.mark.usefixtures("compiled_quickly")

ROWS = {"fashion-mnist": (120, 24, 60), "cifar10": (41_666, 8_334, 1)}


def fashion(cache: Path) -> None:
    """Fashion-MNIST's IDX files, zipped, of fewer rows."""
    for part, rows in (("train", 144), ("t10k", 60)):
        labels = np.arange(rows, dtype=np.uint8) % 6
        images = np.random.default_rng(rows).integers(0, 256, (rows, 28, 28), np.uint8)
        for kind, array in (("labels-idx1", labels), ("images-idx3", images)):
            magic = struct.pack(">I", 0x800 + array.ndim)
            head = magic + struct.pack(f">{array.ndim}I", *array.shape)
            with gzip.open(cache / f"{part}-{kind}-ubyte.gz", "wb") as file:
                file.write(head + array.tobytes())


def cifar(cache: Path) -> None:
    """CIFAR-10's batches. Keras copies each over ten thousand rows: one row fills them."""
    for i, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        pixels = np.random.default_rng(i).integers(0, 256, (1, 3072), np.uint8)
        with (cache / name).open("wb") as file:
            pickle.dump({b"data": pixels, b"labels": [i % 5]}, file)


FILES = {
    "fashion-mnist": ("fashion-mnist", fashion),
    "cifar10": ("cifar-10-batches-py-target/cifar-10-batches-py", cifar),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    # Keras read it when it was imported.
    from keras.src.utils import file_utils

    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", [name for name in TASKS if name not in AT_HAND])
def test_what_is_in_the_cache_is_raced(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, write = FILES[name]
    (home / "datasets" / folder).mkdir(parents=True)
    write(home / "datasets" / folder)
    if name == "cifar10":  # which is checked, and is the true archive's
        from keras.src.utils import file_utils

        monkeypatch.setattr(file_utils, "validate_file", lambda *_, **__: True)
        archive = home / "datasets" / "cifar-10-batches-py-target_archive"
        with tarfile.open(archive, "w:gz") as file:
            file.add(home / "datasets" / folder, arcname="cifar-10-batches-py")
    task = find(name)
    data = task.load()
    assert tuple(len(split.x) for split in data) == ROWS[name]
    model = task.make_model()
    for x, y in data:
        assert x.dtype == np.uint8
        assert y.dtype == np.int32
        assert x.shape[1:] == model.input_shape[1:]
        assert y.max() < model.output_shape[1]
    shares = [np.bincount(y, minlength=5)[:5] / len(y) for _, y in data[:2]]
    np.testing.assert_allclose(*shares, atol=1e-3)
    assert np.isfinite(np.asarray(model(data.test.x[:4]))).all()


@pytest.mark.parametrize("name", [name for name in TASKS if name not in AT_HAND])
def test_without_a_network_it_is_said(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras.src.utils import file_utils

    def refused(*_: object, **__: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(file_utils, "urlretrieve", refused)
    with pytest.raises(RavineError, match=r"cannot be downloaded: .*copy that folder") as said:
        find(name).load()
    assert str(home) in str(said.value)
    assert len(str(said.value).splitlines()) == 1
