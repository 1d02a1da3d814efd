"""Sound by its log-mel spectrogram and convolutions."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omnishot.errors import UsageError
from omnishot.modality.base import Modality
from omnishot.nn.convolution import convolve
from omnishot.nn.encoders.base import Encoder
from omnishot.nn.layers import Norm

TIMES = (1, 2, 4, 8, 16)


def mel_filters(bands: int, bins: int, rate: int) -> Tensor:
    """Triangular filters `[bins, bands]`, evenly spaced on the mel scale m = 2595 log10(1 + f/700)."""
    top = 2595 * math.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(0, top, bands + 2) / 2595) - 1)
    frequencies = torch.linspace(0, rate / 2, bins)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0)


class LogMelConv(Encoder):
    """Waveform to log-mel spectrogram (25 ms windows every 10 ms), 3×3 convolutions, mean over time.

    Args:
        width: channels.
        bands: of the spectrogram.
        norm: after each convolution.
        times: windows per part of the sound, 1, 2, 4, 8 or 16. For the decoder `ctc` parts must be as short as the
            shortest characters, 2 to 4.

    Paper: Hershey et al., CNN Architectures for Large-Scale Audio Classification, ICASSP 2017
    """

    reads = ("audio",)
    hann: Tensor
    filters: Tensor

    def __init__(self, modality: Modality, *, width: int = 32, bands: int = 40, norm: str = "layer", times: int = 16):
        super().__init__()
        if times not in TIMES:
            raise UsageError(f"times = {times!r} windows a part of a sound: use one of {', '.join(map(str, TIMES))}")
        rate: int = modality.rate  # type: ignore[attr-defined]
        self.window, self.hop = max(16, rate // 40), max(8, rate // 100)
        self.fft = 2 ** math.ceil(math.log2(self.window))
        self.register_buffer("hann", torch.hann_window(self.window), persistent=False)
        self.register_buffer("filters", mel_filters(bands, self.fft // 2 + 1, rate), persistent=False)
        inputs = [1, width, width, width]
        strides = [(2 if 2**depth < times else 1, 2) for depth in range(len(inputs))]
        self.convs = nn.ModuleList(
            nn.Conv2d(i, width, 3, padding=1, stride=stride) for i, stride in zip(inputs, strides, strict=True)
        )
        self.norms = nn.ModuleList(Norm(width, norm) for _ in inputs)
        self.out = width * math.ceil(bands / 16)

    def spectrogram(self, x: Tensor) -> Tensor:
        """Waveform `[rows, samples]` to log-mel `[rows, frames, bands]`, about zero mean and unit spread."""
        x = F.pad(x, (0, max(0, self.window - x.shape[-1])))
        frames = x.unfold(-1, self.window, self.hop) * self.hann
        spectrum = torch.fft.rfft(frames, n=self.fft)
        power = spectrum.real.square() + spectrum.imag.square()  # abs() takes a root first, and most of the time
        return (torch.log(power @ self.filters + 1e-4) + 4) / 4

    def forward(self, x: Tensor) -> Tensor:
        return self._maps(x).mean(-2).flatten(-2)

    def parts(self, x: Tensor) -> tuple[Tensor, None]:
        """The time steps of the sound, each with all of its bands."""
        return self._maps(x).transpose(-2, -3).flatten(-2), None

    def _maps(self, x: Tensor) -> Tensor:
        """`[rows, width, times, bands]`."""
        h = self.spectrogram(x).unsqueeze(-3)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = F.relu(norm(convolve(conv, h)))
        return h

    def raw(self, x: Tensor) -> Tensor:
        return self.spectrogram(x).flatten(1)
