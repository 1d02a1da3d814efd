"""A program that speaks with eSpeak NG: requests on stdin, sound on stdout. `speech.py` runs it.

It is a separate program because eSpeak NG keeps state from one utterance to the next that no call resets: only a new
process that speaks a fixed list in a fixed order gives the same samples every time.

Reads, as JSON, a list of [text, voice, words per minute, pitch 0...100]. Writes, per utterance, the number of
samples (uint32) and the samples (int16 at 8 kHz), little endian. Needs nothing else of Omnishot.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

RATE = 8000  # Hz, of what is written
SYNCHRONOUS, CHARS_UTF8, PARAMETER_RATE, PARAMETER_PITCH = 2, 1, 1, 3  # of speak_lib.h
SILENCE = 0.02  # of the loudest sample: what is quieter at either end is cut away

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def resample(samples: np.ndarray, rate: int) -> np.ndarray:
    """`samples [n]` at `rate` Hz to `RATE` Hz by dropping the frequencies above the new Nyquist's.

    Padded with silence to whole tenths of a second, so that the transform's length has small factors.
    """
    tenths = -(-len(samples) * 10 // rate)
    samples = np.pad(samples, (0, tenths * rate // 10 - len(samples)))
    count = tenths * RATE // 10
    return np.fft.irfft(np.fft.rfft(samples)[: count // 2 + 1], count) * (count / max(len(samples), 1))


def trim(samples: np.ndarray) -> np.ndarray:
    """Cut the silence off both ends of `samples [n]`."""
    loud = np.flatnonzero(np.abs(samples) > SILENCE * np.abs(samples).max(initial=0))
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def speaker() -> Callable[[str, str, int, int], np.ndarray]:
    """Load eSpeak NG. Returns a function from a request to float samples `[n]` at 8 kHz."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
    rate = library.espeak_Initialize(SYNCHRONOUS, 500, espeakng_loader.get_data_path().encode(), 0)
    if rate <= 0:
        raise RuntimeError("eSpeak NG could not start: espeak_Initialize failed; reinstall espeakng-loader")
    heard: list[np.ndarray] = []

    @_CALLBACK
    def hear(wave: Any, count: int, events: Any) -> int:
        if wave and count > 0:
            heard.append(np.ctypeslib.as_array(wave, (count,)).astype(np.float64))
        return 0

    library.espeak_SetSynthCallback(hear)
    library.espeak_ng_SetRandSeed(1)

    def say(text: str, voice: str, words_per_minute: int, pitch: int) -> np.ndarray:
        heard.clear()
        if library.espeak_SetVoiceByName(voice.encode()):
            raise RuntimeError(f"eSpeak NG has no voice {voice!r}")
        library.espeak_SetParameter(PARAMETER_RATE, words_per_minute, 0)
        library.espeak_SetParameter(PARAMETER_PITCH, pitch, 0)
        data = text.encode() + b"\0"
        library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 0, 0, CHARS_UTF8, None, None)
        return trim(resample(np.concatenate(heard), rate)) if heard else np.zeros(0)

    say.callback = hear  # type: ignore[attr-defined]  # the library calls it as long as `say` lives
    return say


def main() -> None:
    requests = json.load(sys.stdin)
    say = speaker()
    for request in requests:
        samples = np.clip(np.rint(say(*request)), -32768, 32767).astype("<i2")
        sys.stdout.buffer.write(len(samples).to_bytes(4, "little") + samples.tobytes())


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(str(error))
