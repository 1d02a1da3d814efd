from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from omnishot.core.storage import flatten, pack, read_json, read_tensors, unflatten, write_atomic, write_json
from omnishot.errors import DataError

TREES = st.recursive(
    st.builds(lambda n: torch.arange(n), st.integers(0, 4)),
    lambda inner: st.dictionaries(st.text("abc.", min_size=1), inner, min_size=1, max_size=3),
)


@given(st.dictionaries(st.text("abc.", min_size=1), TREES, max_size=3))
def test_a_tree_survives_being_flat(tree):
    flat = flatten(tree)
    assert all(torch.is_tensor(value) for value in flat.values())
    again = flatten(unflatten(flat))
    assert again.keys() == flat.keys()
    assert all(torch.equal(again[name], flat[name]) for name in flat)


def test_tensors_and_facts_survive_a_file(tmp_path):
    tensors = {"a": torch.randn(2, 3, dtype=torch.float64), "b/c": torch.arange(6).view(2, 3).T}
    path = tmp_path / "x" / "t.safetensors"
    write_atomic(path, pack(tensors, {"step": 3, "name": "ü"}))
    tensors_read, about = read_tensors(path)
    assert about == {"format": 1, "step": 3, "name": "ü"}
    assert tensors_read.keys() == tensors.keys()
    assert all(torch.equal(tensors_read[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize("kept", [0, 4, 20, -1])
def test_a_file_that_is_cut_off_is_named(tmp_path, kept):
    path = tmp_path / "t.safetensors"
    path.write_bytes(pack({"a": torch.zeros(9)}, {})[:kept])
    with pytest.raises(DataError, match=r"t\.safetensors is damaged or cut off"):
        read_tensors(path)


def test_what_is_not_ours_or_newer_is_refused(tmp_path):
    from safetensors.torch import save

    path = tmp_path / "t.safetensors"
    path.write_bytes(save({"a": torch.zeros(3)}))
    with pytest.raises(DataError, match="was not written by Omnishot"):
        read_tensors(path)
    path.write_bytes(pack({}, {"format": 7}))
    with pytest.raises(DataError, match="has format 7, this Omnishot reads up to 1: upgrade Omnishot"):
        read_tensors(path)
    with pytest.raises(DataError, match="gone does not exist"):
        read_tensors(tmp_path / "gone")


def test_json_survives_and_what_is_none_is_named(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"ü": [1, None]})
    assert read_json(path) == {"ü": [1, None]}
    assert "ü" in path.read_text(encoding="utf-8")
    path.write_text('{"a": ')
    with pytest.raises(DataError, match=r"a\.json is damaged"):
        read_json(path)
    path.write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"a\.json is damaged"):
        read_json(path)
    with pytest.raises(DataError, match=r"gone\.json is missing"):
        read_json(tmp_path / "gone.json")


@pytest.mark.parametrize("where", ["write", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, where):
    path = tmp_path / "a.json"
    write_json(path, "old")

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*((os, "fsync") if where == "write" else (Path, "replace")), full)
    with pytest.raises(DataError, match=r"cannot write .*a\.json \(6 bytes\): No space left on device"):
        write_json(path, "new")
    monkeypatch.undo()
    assert json.loads(path.read_text()) == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_an_error_with_its_name(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(DataError, match=r"cannot write .*x/a\.json"):
        write_json(tmp_path / "x" / "a.json", 1)
