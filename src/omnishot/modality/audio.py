"""Sounds: any file that libsndfile reads, a video's sound, or an array; as 16-bit samples of one rate and length."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import PIL.Image
import soundfile
import torch
from scipy.signal import resample_poly  # type: ignore[import-untyped]
from torch import Tensor

from omnishot.errors import UsageError
from omnishot.modality import clip
from omnishot.modality.base import CellError, Media, Reach, dense, random_like, usable
from omnishot.modality.failing import LATEST
from omnishot.modality.file_signatures import unreadable
from omnishot.modality.riff import missing_bytes

HIGHEST_RATE = 16_000  # hertz; enough for speech, and what most published audio encoders take
LONGEST = 10.0  # seconds
_RATES = (1_000, 768_000)  # hertz; outside, resampling filters grow without bound
_FULL = 32_768  # the int16 that a waveform of 1 stands for
_COUNTLESS = 1 << 48  # samples; more is libsndfile's way to say that it does not know
_LOUDEST = 4.0  # full scale is 1; float sounds may overshoot, but not like 16-bit integers stored as floats
_LOUDNESS_SAMPLE = 256  # training cells from which the loudness is measured


@dataclass(frozen=True)
class Audio(Media):
    """Sounds of one sampling rate and length.

    Args:
        rate: samples a second.
        samples: a sound's length; longer ones are cut at the end, shorter ones padded with silence.
        loudness: root mean square of the training sounds (full scale is 1); also of `corrupt`'s noise.
    """

    rate: int
    samples: int
    loudness: float

    kind = "audio"
    later = ("loudness",)
    dtype = np.int16
    unit = "of full scale"

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.samples,)

    @classmethod
    def fit(cls, cells: Sequence[Any], *, rate: int | None = None, seconds: float | None = None) -> Audio:
        """Choose the rate, the length and the loudness from training sounds.

        Args:
            cells: bytes, arrays, or dicts `{"array", "sampling_rate"}`.
            rate: Hz. Default: the most common rate of the files, at most 16,000; 16,000 if all cells are arrays.
            seconds: default: the 99th percentile of the lengths, at most 10.

        Raises:
            CellError: if no cell can be decoded.
            UsageError: for a rate or length that is out of range.
        """
        if rate is not None and not _RATES[0] <= rate <= _RATES[1]:
            raise UsageError(f"rate = {rate} for sounds: give samples a second from {_RATES[0]:,} to {_RATES[1]:,}")
        if seconds is not None and not 0 < seconds <= 3600:
            raise UsageError(f"seconds = {seconds} for sounds: give a length above 0 and at most 3600")
        sounds = usable(_rate_and_frames, cells)
        if rate is None:
            known = Counter(rate_of for rate_of, _ in sounds if rate_of)
            rate = min(known.most_common(1)[0][0] if known else HIGHEST_RATE, HIGHEST_RATE)
        if seconds is None:
            lengths = [frames / (rate_of or rate) for rate_of, frames in sounds]
            seconds = min(float(np.percentile(lengths, 99, method="higher")), LONGEST)
        plain = cls(int(rate), max(1, math.ceil(seconds * rate - 1e-6)), 1.0)
        waves = usable(plain._waveform, cells[:_LOUDNESS_SAMPLE])
        loudness = math.sqrt(float(np.mean(np.concatenate(waves).astype(np.float64) ** 2)))
        return cls(plain.rate, plain.samples, loudness or 1.0)

    def decode(self, cell: bytes | np.ndarray | dict[str, Any]) -> np.ndarray:
        """Channels averaged, resampled (polyphase, anti-aliased), cut or padded with silence at the end."""
        wave = self._waveform(cell)
        stored = np.zeros(self.samples, np.int16)
        stored[: len(wave)] = (wave * _FULL).round().clip(-_FULL, _FULL - 1)
        return stored

    def normalise(self, stored: Tensor) -> Tensor:
        """int16 `[..., samples]` -> the waveform, float32 from -1 to 1."""
        return stored.to(torch.float32, copy=True).div_(_FULL)

    def _corrupt(self, stored: Tensor, level: float | Tensor, generator: torch.Generator) -> Tensor:
        """Mix with white noise as loud as the training sounds, padding included, since silence reveals the length."""
        noise = random_like(torch.randn, stored.shape, generator, stored) * (self.loudness * _FULL)
        mixed = (1 - level) * stored.float() + level * noise
        return mixed.round().clamp(-_FULL, _FULL - 1).to(stored.dtype)

    @property
    def failures(self) -> Mapping[str, Callable[[Tensor, torch.Generator], Tensor]]:
        """Failures of the microphone. `dead`: silence from a random time on. `delayed`: the sound begins late, by up to
        half of its length, and its end is cut off.
        """
        return {"dead": self._dead, "delayed": self._delayed}

    def _dead(self, stored: Tensor, generator: torch.Generator) -> Tensor:
        moment = random_like(torch.rand, (*stored.shape[:-1], 1), generator, stored) * self.samples
        return torch.where(torch.arange(self.samples, device=stored.device) < moment, stored, 0)

    def _delayed(self, stored: Tensor, generator: torch.Generator) -> Tensor:
        late = LATEST * random_like(torch.rand, (*stored.shape[:-1], 1), generator, stored) * self.samples
        source = torch.arange(self.samples, device=stored.device) - late.round().long()
        return torch.where(source < 0, 0, stored.gather(-1, source.clamp(min=0)))

    def reach(self, cells: Tensor) -> Reach:
        """An epsilon of 1 is full scale. A perturbed sound stays within the range of 16 bits."""
        unit = torch.ones((), dtype=torch.float64, device=cells.device)
        return Reach(unit, cells.new_tensor(-1.0), cells.new_tensor((_FULL - 1) / _FULL))

    def picture(self, stored: np.ndarray) -> PIL.Image.Image:
        """The spectrogram: time to the right, pitch (mel) upwards, 60 dB from dark to bright."""
        from matplotlib import colormaps

        frame = max(16, int(0.025 * self.rate))
        wave = np.pad(np.asarray(stored, np.float64) / _FULL, (0, frame))
        hop = max(1, len(stored) // 300, min(self.rate // 100, len(stored) // 64))
        frames = np.lib.stride_tricks.sliding_window_view(wave, frame)[::hop] * np.hanning(frame)
        size = max(1024, 1 << (frame - 1).bit_length())
        power = np.abs(np.fft.rfft(frames, size)) ** 2
        top = 2595 * np.log10(1 + self.rate / 2 / 700)
        pitches = 700 * (10 ** (np.linspace(0, top, 80) / 2595) - 1)
        bands = power[:, np.clip((pitches * size / self.rate).round().astype(int), 0, size // 2)]
        decibels = 10 * np.log10(bands / max(bands.max(), 1e-12) + 1e-6)
        image = colormaps["magma"](decibels.T[::-1] / 60 + 1, bytes=True)[..., :3]
        return PIL.Image.fromarray(np.ascontiguousarray(image))

    def wav_bytes(self, stored: np.ndarray) -> bytes:
        """One stored cell as a WAV file, to be played."""
        file = io.BytesIO()
        soundfile.write(file, np.asarray(stored, np.int16), self.rate, format="WAV", subtype="PCM_16")
        return file.getvalue()

    def _waveform(self, cell: bytes | np.ndarray | dict[str, Any]) -> np.ndarray:
        """float `[time]` at the fitted rate, at most `samples` long."""
        needed = self.samples / self.rate
        wave, rate = _read(cell, needed) if isinstance(cell, bytes) else _from_array(cell, self.rate)
        wave = wave[: math.ceil(needed * rate) + rate // 100].mean(1, dtype=np.float64)
        if not np.isfinite(wave).all():
            raise CellError("NaN or infinite samples")
        if np.abs(wave).max() > _LOUDEST:
            raise CellError(f"samples up to {np.abs(wave).max():.6g}: expected floats from -1 to 1")
        if rate != self.rate:
            ratio = Fraction(self.rate, rate).limit_denominator(2_000)
            wave = resample_poly(wave, ratio.numerator, ratio.denominator)
        return wave[: self.samples].clip(-1, 1)


def _open(data: bytes) -> soundfile.SoundFile:
    """Read the header; refuse files that are empty, cut off or out of range."""
    missing = missing_bytes(data)
    if missing:
        raise CellError(f"sound file is truncated ({missing[1]} bytes of sound announced, {missing[0]} are there)")
    try:
        file = soundfile.SoundFile(io.BytesIO(data))
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError) as error:
        raise CellError(unreadable("sound", data)) from error
    _check(file.samplerate, file.channels)
    if file.frames == 0:
        raise CellError("sound of zero length")
    if file.frames > _COUNTLESS:  # a FLAC stream; soundfile cannot read to the end of one
        raise CellError("its header does not say how long the sound is: write the file anew")
    return file


def _check(rate: int, channels: int) -> None:
    if not _RATES[0] <= rate <= _RATES[1]:
        raise CellError(f"sampling rate {rate}: expected {_RATES[0]:,} to {_RATES[1]:,} hertz")
    if channels > 64:
        raise CellError(f"{channels} channels: expected 64 at most")


def _read(data: bytes, seconds: float) -> tuple[np.ndarray, int]:
    """The first `seconds` as `[time, channels]`; no more is unpacked, whatever length the header gives."""
    if clip.is_clip(data):
        wave, rate = clip.sound(data, seconds)
        _check(rate, wave.shape[1])
        return wave, rate
    with _open(data) as file:
        # A margin, so that the resampling filter sees what follows the cut.
        needed = min(file.frames, math.ceil(seconds * file.samplerate) + file.samplerate // 100)
        try:
            wave = file.read(needed, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise CellError(f"damaged sound file ({error})") from error
        if len(wave) < needed:
            raise CellError(f"sound file is truncated ({file.frames} samples announced, {len(wave)} are there)")
        return wave, file.samplerate


def _from_array(cell: np.ndarray | dict[str, Any], rate: int) -> tuple[np.ndarray, int]:
    """`[time]` or `[time, channels]` -> `[time, channels]` from -1 to 1, and the sampling rate."""
    if isinstance(cell, dict):
        if "array" not in cell or "sampling_rate" not in cell:
            raise CellError(f"a dict with {sorted(map(str, cell))}: expected 'array' and 'sampling_rate'")
        rate, cell = int(cell["sampling_rate"]), np.asarray(cell["array"])
    wave = dense(cell)
    if wave.ndim == 1:
        wave = wave[:, None]
    if wave.ndim != 2:
        raise CellError(f"array of shape {wave.shape} is no sound: expected [time] or [time, channels]")
    _check(rate, wave.shape[1])
    if wave.size == 0:
        raise CellError("sound of zero length")
    if wave.dtype == np.int16:
        return wave / np.float32(_FULL), rate
    if wave.dtype.kind != "f":
        raise CellError(f"array of {wave.dtype}: expected int16, or floats from -1 to 1")
    return wave, rate


def _rate_and_frames(cell: Any) -> tuple[int | None, int]:
    """The sampling rate (None if an array does not say) and the length in samples."""
    if isinstance(cell, bytes):
        if clip.is_clip(cell):
            return clip.sound_length(cell)
        with _open(cell) as file:
            return file.samplerate, file.frames
    wave, rate = _from_array(cell, HIGHEST_RATE)
    return (rate if isinstance(cell, dict) else None), len(wave)
