import errno
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnishot.errors import DataError
from omnishot.table.cache import cache_root, decoded

SHAPE = (2, 3)


def decode(content):
    if isinstance(content, np.ndarray):
        return np.resize(content, SHAPE)
    if content.startswith(b"bad"):
        raise ValueError(f"is bad: {content.decode()}")
    return np.resize(np.frombuffer(content, np.uint8), SHAPE)


def run(cells, root, folder=None, decode=decode, settings=None, **options):
    options = {"shape": SHAPE, "dtype": np.int16, "workers": 2} | options
    return decoded(cells, key_settings=settings or {}, decode=decode, folder=folder, root=root, **options)


def never(content):
    pytest.fail("decoded again instead of coming from the cache")


def entries(root):
    return sorted(path.name for path in root.iterdir())


CELL = st.none() | st.binary(max_size=6) | st.just(b"bad cell") | st.lists(st.integers(0, 99), min_size=1, max_size=4)


@settings(max_examples=40)
@given(st.lists(CELL, max_size=12))
def test_a_hit_equals_a_fresh_decode(tmp_path_factory, cells):
    root = tmp_path_factory.mktemp("cache")
    fresh, present, bad = run(cells, root)
    again, present_again, bad_again = run(cells, root, decode=never)
    assert again.shape == (len(cells), *SHAPE)
    assert again.dtype == np.int16
    np.testing.assert_array_equal(fresh, again)
    np.testing.assert_array_equal(present, present_again)
    assert bad == bad_again == [(i, "is bad: bad cell") for i, cell in enumerate(cells) if cell == b"bad cell"]
    for i, cell in enumerate(cells):
        right = cell is not None and cell not in (b"", b"bad cell")
        assert present[i] == right
        content = np.asarray(cell) if isinstance(cell, list) else cell
        np.testing.assert_array_equal(fresh[i], decode(content) if right else np.zeros(SHAPE))
    assert len(entries(root)) == 1


def test_many_cells_in_several_chunks(tmp_path):
    cells = [bytes([i % 251, i // 251]) for i in range(1000)]
    stored, present, _ = run(cells, tmp_path)
    np.testing.assert_array_equal(stored, [decode(cell) for cell in cells])
    assert present.all()


def test_the_cells_cannot_be_written_to(tmp_path):
    stored, _, _ = run([b"abc"], tmp_path)
    assert isinstance(stored, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        stored[0] = 1


def test_what_changes_the_key(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    root = tmp_path / "cache"
    first = run(["a", None, b"x"], root, tmp_path)[0].copy()
    run([b"abc", None, b"x"], root, tmp_path, decode=never)  # content counts, not where it is from
    assert len(entries(root)) == 1
    for changed in ([b"x", None, "a"], ["a", b"x", None], ["a", None, b"x", None], ["a", None, b"y"]):
        run(changed, root, tmp_path)
    assert len(entries(root)) == 5
    run(["a", None, b"x"], root, tmp_path, settings={"size": 2})
    run(["a", None, b"x"], root, tmp_path, dtype=np.int32)
    assert len(entries(root)) == 7
    (tmp_path / "a").write_bytes(b"abd")
    assert (run(["a", None, b"x"], root, tmp_path)[0] != first).any()


def test_a_file_that_was_missing_is_decoded_when_it_is_there(tmp_path):
    assert run(["a"], tmp_path / "c", tmp_path)[2] == [(0, "no such file: a")]
    assert run(["a"], tmp_path / "c", tmp_path, decode=never)[2] == [(0, "no such file: a")]
    (tmp_path / "a").write_bytes(b"abc")
    assert run(["a"], tmp_path / "c", tmp_path)[1].all()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_decode_leaves_nothing(tmp_path, error):
    def stop(content):
        if content == b"700":
            raise error
        return decode(content)

    cells = [str(i).encode() for i in range(1000)]
    with pytest.raises(error):
        run(cells, tmp_path, decode=stop)
    assert entries(tmp_path) == []
    assert run(cells, tmp_path)[1].all()


def test_an_error_of_the_decoder_is_not_taken_for_a_full_disk(tmp_path):
    def broken(content):
        raise OSError("the decoder's own")

    with pytest.raises(OSError, match="the decoder's own"):
        run([b"a"], tmp_path, decode=broken)
    assert entries(tmp_path) == []


def test_a_wrong_shape_is_no_bad_cell(tmp_path):
    with pytest.raises(TypeError, match=r"shape \(1,\), not \(2, 3\)"):
        run([b"a"], tmp_path, decode=lambda content: np.zeros(1))


KILLED = """
    import os, signal, sys
    from pathlib import Path
    import numpy as np
    from omnishot.table.cache import decoded

    def decode(content):
        if content == b"700":
            os.kill(os.getpid(), signal.SIGKILL)
        return np.ones((2, 3))

    cells = [str(i).encode() for i in range(1000)]
    decoded(cells, key_settings={}, shape=(2, 3), dtype=np.int16, decode=decode, folder=None,
            root=Path(sys.argv[1]), workers=2)
"""


def test_a_killed_decode_leaves_no_complete_entry(tmp_path):
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)])
    assert done.returncode == -signal.SIGKILL
    (left,) = entries(tmp_path)
    assert ".partial-" in left
    cells = [str(i).encode() for i in range(1000)]
    stored, present, _ = run(cells, tmp_path)
    np.testing.assert_array_equal(stored, [decode(cell) for cell in cells])  # not the ones that it wrote
    assert present.all()
    (left,) = entries(tmp_path)  # and what it left is gone
    assert ".partial-" not in left


def test_partial_folders_of_living_processes_and_other_hosts_are_left_alone(tmp_path):
    run([b"a"], tmp_path)
    name = entries(tmp_path)[0]
    finished = subprocess.Popen([sys.executable, "-c", ""])
    finished.wait()  # a number that no process has here
    elsewhere = tmp_path / f"{name}.partial-otherhost-{finished.pid}-abc"
    elsewhere.mkdir()
    started, finish = threading.Event(), threading.Event()

    def slow(content):
        started.set()
        finish.wait(30)
        return decode(content)

    thread = threading.Thread(target=run, args=([b"b"], tmp_path), kwargs={"decode": slow})
    thread.start()
    assert started.wait(30)
    run([b"c"], tmp_path)
    partial = [entry for entry in entries(tmp_path) if ".partial-" in entry]
    finish.set()
    thread.join()
    assert len(partial) == 2
    assert run([b"b"], tmp_path, decode=never)[1].all()
    assert elsewhere.exists()


def test_two_at_once_do_not_collide(tmp_path):
    both = threading.Barrier(2, timeout=30)

    def together(content):
        both.wait()  # neither can have published before the other decodes
        return decode(content)

    results = []
    threads = [
        threading.Thread(target=lambda: results.append(run([b"abc"], tmp_path, decode=together))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, monkeypatch, number):
    def full(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DataError, match=rf"{tmp_path}: .*24 bytes are needed.*OMNISHOT_CACHE"):
        run([b"abc", b"def"], tmp_path)
    assert entries(tmp_path) == []


def test_without_fallocate_the_space_is_written(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    stored, _, _ = run([b"abc", None], tmp_path)
    np.testing.assert_array_equal(stored, [decode(b"abc"), np.zeros(SHAPE)])


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="OMNISHOT_CACHE"):
        run([b"abc"], tmp_path / "file" / "below")


def cut(entry):
    with (entry / "cells.bin").open("r+b") as file:
        file.truncate(5)


def unreadable(entry):
    (entry / "meta.json").write_text("{")


def other(entry):
    meta = json.loads((entry / "meta.json").read_text())
    (entry / "meta.json").write_text(json.dumps(meta | {"settings": {"x": 1}}))


def no_present(entry):
    (entry / "present.npy").unlink()


def pickled(entry):
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
    (entry / "present.npy").write_bytes(buffer.getvalue())


@pytest.mark.parametrize("damage", [cut, unreadable, other, no_present, pickled])
def test_a_damaged_entry_is_rebuilt(tmp_path, damage):
    run([b"abc"], tmp_path)
    (name,) = entries(tmp_path)
    damage(tmp_path / name)
    stored, present, _ = run([b"abc"], tmp_path)
    np.testing.assert_array_equal(stored, [decode(b"abc")])
    assert present.all()
    run([b"abc"], tmp_path, decode=never)
    assert entries(tmp_path) == [name]


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("OMNISHOT_CACHE", str(tmp_path / "cache"))
    assert cache_root() == tmp_path / "cache"
    assert decoded([b"a"], key_settings={}, shape=SHAPE, dtype=np.uint8, decode=decode, folder=None)[1].all()
    assert len(entries(tmp_path / "cache")) == 1
    monkeypatch.delenv("OMNISHOT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "omnishot"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "omnishot"


def test_a_label_is_shown_on_stderr_only_where_it_is_a_terminal(tmp_path, capsys):
    run([b"abc"], tmp_path, label="photos")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip() == ""
