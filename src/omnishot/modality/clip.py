"""Reads video files with PyAV: pictures at given times, and the sound.

Packets are demultiplexed before anything is decoded. They show the true length, which the header may misstate.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from omnishot.modality.base import CellError
from omnishot.modality.file_signatures import unreadable

# Containers only: no playlist, whose reader would open other files or addresses.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg,gif"
_LEFT_OUT = 0.1  # of the length in the header may be absent before a file counts as cut off
_UNDECODED = "not a single frame of the video can be decoded"
_QUICKTIME = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


class Track(NamedTuple):
    """One stream's packets in the order in which they are decoded, and when they are shown, in seconds."""

    stream: Any
    packets: list[Any]
    times: np.ndarray
    start: float
    end: float


def is_clip(data: bytes) -> bool:
    """Whether bytes begin like a file of pictures and sound: MP4, QuickTime, Matroska, WebM or AVI."""
    return data[4:8] in _QUICKTIME or data[:4] == b"\x1aE\xdf\xa3" or (data[:4] == b"RIFF" and data[8:12] == b"AVI ")


def size(data: bytes) -> tuple[int, int]:
    """(height, width) of the pictures, turned upright."""
    with _opened(data) as container:
        stream = _pictures(container, data)
        for frame in container.decode(stream):
            sides = (frame.height, frame.width)
            return sides if round(frame.rotation / 90) % 2 == 0 else sides[::-1]
    raise CellError(_UNDECODED)


def pictures(data: bytes, count: int) -> Iterator[tuple[np.ndarray, int]]:
    """The frame shown in the middle of each of `count` equal parts of the clip, in order.

    Yields:
        uint8 `[h, w, 3]`, turned upright, and for how many successive parts this frame is shown.

    Raises:
        CellError: if the file is damaged, cut off, or holds no picture.
    """
    with _opened(data) as container:
        track = _track(container, _pictures(container, data))
        times = track.start + (np.arange(count) + 0.5) / count * (track.end - track.start)
        done, last = 0, None
        for time, frame in _decoded(track):
            until = int(np.searchsorted(times, time))  # a frame is seen until the next one is
            if last is not None and until > done:
                yield _upright(last), until - done
                done = until
            last = frame
            if done == count:
                return
        if last is None:
            raise CellError(_UNDECODED)
        yield _upright(last), count - done


def sound_length(data: bytes) -> tuple[int, int]:
    """Samples per second, and the number of samples of each channel, according to the packets."""
    with _opened(data) as container:
        track = _track(container, _sounds(container))
        rate = track.stream.codec_context.sample_rate
        return rate, max(1, round((track.end - track.start) * rate))


def sound(data: bytes, seconds: float) -> tuple[np.ndarray, int]:
    """The first `seconds` of the sound, float32 `[time, channels]` from -1 to 1, and its samples per second.

    Raises:
        CellError: if the file is damaged, cut off, or holds no sound.
    """
    with _opened(data) as container:
        track = _track(container, _sounds(container))
        rate = track.stream.codec_context.sample_rate
        plain, parts, needed = library().AudioResampler(format="fltp"), [], int(seconds * rate) + rate // 10
        for _, frame in _decoded(track):
            parts += [part.to_ndarray() for part in plain.resample(frame)]
            if sum(part.shape[1] for part in parts) >= needed:
                break
        if not parts:
            raise CellError("sound of zero length")
        return np.concatenate(parts, 1).T, rate


def library() -> Any:
    """PyAV.

    Raises:
        CellError: if it is not installed.
    """
    try:
        import av
    except ImportError:
        raise CellError("videos are read by PyAV, which is not installed: pip install omnishot[video]") from None
    return av


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    """The container of these bytes. An error of FFmpeg becomes a CellError."""
    av = library()
    try:
        container = av.open(io.BytesIO(data), options={"format_whitelist": _FORMATS, "protocol_whitelist": ""})
    except Exception as error:  # as below
        raise CellError(unreadable("video", data)) from error
    try:
        with container:
            yield container
    except CellError:
        raise
    except Exception as error:  # PyAV raises errors of many types on damaged files
        raise CellError(f"damaged video ({getattr(error, 'strerror', None) or error})") from error


def _pictures(container: Any, data: bytes) -> Any:
    """The first video stream that is not a cover picture."""
    covers = library().stream.Disposition.attached_pic
    for stream in container.streams.video:
        if not stream.disposition & covers:
            _decoder(stream).thread_count = 1  # rows are already decoded in parallel
            return stream
    raise CellError("no video, but a file with sound alone" if container.streams.audio else unreadable("video", data))


def _sounds(container: Any) -> Any:
    for stream in container.streams.audio:
        _decoder(stream)
        return stream
    raise CellError("a video without sound")


def _decoder(stream: Any) -> Any:
    if stream.codec_context is None:
        raise CellError("damaged video, or one in a format that FFmpeg has no decoder for")
    return stream.codec_context


def _track(container: Any, stream: Any) -> Track:
    """The packets of a stream.

    Raises:
        CellError: if there are none, or if all streams end well before the length in the header.
    """
    packets, ends = [], [0.0]
    for packet in container.demux():
        if packet.size:
            ends.append(_seconds(packet, packet.pts) + _seconds(packet, packet.duration))
            packets += [packet] if packet.stream_index == stream.index else []
    times = _times(stream, packets)
    shown = np.sort([time for time, packet in zip(times, packets, strict=True) if not packet.is_discard] or times)
    steps = np.diff(np.unique(shown))
    if packets:
        last = packets[int(times.argmax())]
        ends.append(shown[-1] + (_seconds(last, last.duration) or float(np.median(steps if len(steps) else 0))))
    announced, there = (container.duration or 0) / 1e6, max(ends)
    if announced - there > max(_LEFT_OUT * announced, 2 * steps.max(initial=0.0)):
        raise CellError(f"video file is truncated ({announced:.4g} seconds announced, {there:.4g} are there)")
    if not packets:
        raise CellError("a video of zero frames" if stream.type == "video" else "sound of zero length")
    return Track(stream, packets, times, float(shown[0]), float(ends[-1]))


def _times(stream: Any, packets: list[Any]) -> np.ndarray:
    """The time in seconds at which each packet is shown; evenly spaced if the file gives no times."""
    stamps = [packet.dts if packet.pts is None else packet.pts for packet in packets]
    if None in stamps:
        rate = float(stream.average_rate or 25) if stream.type == "video" else 1.0
        return np.arange(len(packets)) / rate
    return np.array(stamps) * float(stream.time_base)


def _seconds(packet: Any, units: int | None) -> float:
    return float((units or 0) * packet.time_base)


def _decoded(track: Track) -> Iterator[tuple[float, Any]]:
    """Frames in the order in which they are shown, each with its time in seconds."""
    shown, base, index = np.sort(track.times), float(track.stream.time_base), 0
    for packet in (*track.packets, None):
        for frame in track.stream.codec_context.decode(packet):
            known = frame.pts is not None  # `frame.time` is None for the frames that the decoder returns at the end
            yield (frame.pts * base if known else float(shown[min(index, len(shown) - 1)])), frame
            index += 1


def _upright(frame: Any) -> np.ndarray:
    """uint8 `[h, w, 3]`, turned by the quarter turns that the file asks for."""
    return np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
