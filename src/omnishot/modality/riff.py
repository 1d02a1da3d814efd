"""The chunks of a WAV or AIFF file, to detect a file that was cut off, which libsndfile reads without an error."""

from __future__ import annotations

import struct

_UNKNOWN = (0, 0xFFFFFFFF)  # placeholder sizes of programs that stream their output


def missing_bytes(data: bytes) -> tuple[int, int] | None:
    """(bytes of sound present, bytes of sound in the header) of a WAV or AIFF file that was cut off, else None.

    Of a file that ends before its sound begins: (0, the size in its outer header).
    """
    order = {b"RIFF": "<", b"RIFX": ">", b"FORM": ">"}.get(data[:4])
    if order is None or len(data) < 12 or data[8:12] not in (b"WAVE", b"AIFF", b"AIFC"):
        return None
    (whole,) = struct.unpack_from(f"{order}I", data, 4)
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from(f"{order}4sI", data, at)
        at += 8
        if name in (b"data", b"SSND"):
            there = len(data) - at
            return (there, size) if size not in _UNKNOWN and there < size else None
        at += size + size % 2  # chunks start at even offsets
    return (0, whole) if whole not in _UNKNOWN and len(data) < whole + 8 else None
