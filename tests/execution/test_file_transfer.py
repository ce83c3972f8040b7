"""The files of a job: with those that it reads a worker needs no other, and leaves what is said."""

import os
from pathlib import Path

import pytest

from ravine.errors import RavineError
from ravine.execution import file_transfer
from ravine.execution.file_transfer import Version


def test_a_file_put_is_there_whole_in_the_version_that_is_said(tmp_path: Path) -> None:
    at = Version(3, 1_700_000_000_123_456_789)
    file_transfer.put(tmp_path, {"data.npz": b"abc"}, {"data.npz": at})
    assert (tmp_path / "data.npz").read_bytes() == b"abc"
    assert file_transfer.version(tmp_path / "data.npz") == at
    file_transfer.put(tmp_path, {"data.npz": b"abd"})
    assert file_transfer.version(tmp_path / "data.npz") != at
    assert os.listdir(tmp_path) == ["data.npz"]
    assert file_transfer.version(tmp_path / "other.npz") is None


def test_where_nothing_can_be_written_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(RavineError, match="cannot write to"):
        file_transfer.put(tmp_path / "gone", {"a": b""})


def test_of_files_put_together_none_is_replaced_where_one_cannot_be_written(tmp_path: Path) -> None:
    file_transfer.put(tmp_path, {"a": b"old"})
    with pytest.raises(RavineError, match="cannot write to"):
        file_transfer.put(tmp_path, {"a": b"new", "gone/b": b""})
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]
