"""The chunks of a WAV or AIFF file: libsndfile reads a file that was cut off as if it ended there, without a word."""

from __future__ import annotations

import struct

_UNKNOWN = (0, 0xFFFFFFFF)  # sizes that programs write when they stream and never come back to fill them in


def missing_bytes(data: bytes) -> tuple[int, int] | None:
    """(bytes of sound there, bytes announced) of a WAV or AIFF file that was cut off, else None.

    A file cut off before its sound begins has none of it: (0, what its outer header announced).
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
