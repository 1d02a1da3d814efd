import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from omnishot.modality.riff import missing_bytes


def file_of(kind: str, endian: str = "FILE") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(101, np.int16), 8000, format=kind, subtype="PCM_16", endian=endian)
    return file.getvalue()


@pytest.mark.parametrize("data", [file_of("WAV"), file_of("AIFF"), file_of("FLAC"), b"", b"RIFF", b"other"])
def test_whole_and_other_files_miss_nothing(data):
    assert missing_bytes(data) is None


@pytest.mark.parametrize("data", [file_of("WAV"), file_of("WAV", "BIG"), file_of("AIFF")])
def test_every_cut_is_noticed(data):
    for cut in range(13, len(data)):
        there, announced = missing_bytes(data[:cut]) or (0, 0)
        assert there < announced


def test_an_odd_chunk_before_the_sound_is_stepped_over():
    data = file_of("WAV")
    odd = data[:12] + b"note\x03\0\0\0abc\0" + data[12:]
    assert missing_bytes(odd) is None
    assert missing_bytes(odd[:-5]) == (197, 202)


@given(st.binary(max_size=60))
def test_garbage_is_no_crash(garbage):
    missing_bytes(b"RIFF" + garbage)
    missing_bytes(b"RIFF\xff\0\0\0WAVE" + garbage)
