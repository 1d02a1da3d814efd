import threading

import pytest

from omnishot.table import parallel
from omnishot.table.parallel import CHUNK, in_chunks


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_chunks_cover_everything_in_order(count):
    assert [i for chunk in in_chunks(list, count, workers=2) for i in chunk] == list(range(count))


def test_an_error_cancels_chunks_that_have_not_started():
    started = []
    gate = threading.Event()

    def work(chunk):
        started.append(chunk.start)
        if chunk.start == 0:
            raise KeyError("broken")
        gate.wait(0.01)

    with pytest.raises(KeyError, match="broken"):
        list(in_chunks(work, 1000 * CHUNK, workers=1))
    assert len(started) < 1000


def test_progress_without_a_terminal_is_a_line_now_and_then(monkeypatch, capsys):
    monkeypatch.setattr(parallel, "QUIET_SECONDS", -1)
    list(in_chunks(len, 2 * CHUNK, label="photos", workers=1))
    out, err = capsys.readouterr()
    assert out == ""
    assert f"photos: {2 * CHUNK} of {2 * CHUNK}" in err
