"""Log-mel spectrograms as tensors, on whatever device the sound is.

Short-time Fourier transform of 512 samples every 256 (periodic Hann window, reflected edges), power, 96 triangular
filters between 0 and 8 kHz on O'Shaughnessy's mel scale (2595 log10(1 + f/700), peaks of 1), in decibels: what
torchaudio's MelSpectrogram and AmplitudeToDB give, which the published taggers were trained on. The mood and theme
tagger was trained on another: of sound at 12 kHz, edges of silence, on Slaney's mel scale, each filter of area 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SAMPLE_RATE, N_FFT, HOP, MELS = 16_000, 512, 256, 96
FLOOR = 1e-10  # power; -100 dB


def mel_filters(sample_rate: int = SAMPLE_RATE, n_fft: int = N_FFT, mels: int = MELS) -> Tensor:
    """float32 [n_fft // 2 + 1, mels]: the weight of each frequency in each band, 0 Hz to sample_rate / 2."""
    highest_mel = 2595 * torch.log10(torch.tensor(1 + sample_rate / 2 / 700, dtype=torch.float64))
    edges_hz = 700 * (10 ** (torch.linspace(0, float(highest_mel), mels + 2, dtype=torch.float64) / 2595) - 1)
    return _triangles(edges_hz, sample_rate, n_fft).float()


def slaney_filters(sample_rate: int, n_fft: int = N_FFT, mels: int = MELS) -> Tensor:
    """float32 [n_fft // 2 + 1, mels] on the scale of Slaney's Auditory Toolbox (1998): linear below 1 kHz, logarithmic
    above; the area of each triangle is 1 (Hz)."""
    step_hz, knee_hz, growth = 200 / 3, 1000.0, math.log(6.4) / 27
    knee = knee_hz / step_hz
    marks = torch.linspace(0, knee + math.log(sample_rate / 2 / knee_hz) / growth, mels + 2, dtype=torch.float64)
    edges_hz = torch.where(marks < knee, marks * step_hz, knee_hz * torch.exp(growth * (marks - knee)))
    return (_triangles(edges_hz, sample_rate, n_fft) * 2 / (edges_hz[2:] - edges_hz[:-2])).float()


def _triangles(edges_hz: Tensor, sample_rate: int, n_fft: int) -> Tensor:
    """float64 [n_fft // 2 + 1, len(edges_hz) - 2]: band i rises from edge i to 1 at edge i + 1 and falls to i + 2."""
    bins_hz = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    widths = edges_hz.diff()
    slopes = edges_hz[None, :] - bins_hz[:, None]  # [bins, mels + 2]
    rising = -slopes[:, :-2] / widths[:-1]
    falling = slopes[:, 2:] / widths[1:]
    return torch.minimum(rising, falling).clamp(min=0)


class LogMel(nn.Module):
    """Sound [batch, samples], -1..1, 16 kHz -> decibels [batch, 96, 1 + samples // 256]."""

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        self.register_buffer("filters", mel_filters(), persistent=False)

    def forward(self, sound: Tensor) -> Tensor:
        spectrum = torch.stft(sound, N_FFT, HOP, window=self.window, center=True, return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()  # [batch, 257, frames]
        bands = torch.matmul(power.transpose(1, 2), self.filters).transpose(1, 2)
        return 10 * torch.log10(bands.clamp(min=FLOOR))


class LogMel12(nn.Module):
    """Sound [batch, samples], -1..1, 16 kHz -> decibels below 6 kHz [batch, 96, 1 + samples * 3 // 4 // 256]."""

    window: Tensor
    filters: Tensor
    low_pass: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        self.register_buffer("filters", slaney_filters(SAMPLE_RATE * 3 // 4), persistent=False)
        self.register_buffer("low_pass", _low_pass(), persistent=False)

    def forward(self, sound: Tensor) -> Tensor:
        spectrum = torch.stft(
            self.at_12_khz(sound), N_FFT, HOP, window=self.window, pad_mode="constant", return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        bands = torch.matmul(power.transpose(1, 2), self.filters).transpose(1, 2)
        return 10 * torch.log10(bands.clamp(min=FLOOR))

    def at_12_khz(self, sound: Tensor) -> Tensor:
        """[batch, samples] -> [batch, samples * 3 // 4]: a low-pass filter in three phases, each at every fourth."""
        reach = self.low_pass.shape[1] // 2
        samples = sound.shape[1] * 3 // 4
        padded = nn.functional.pad(sound[:, None], (reach, reach + 4))
        phases = nn.functional.conv1d(padded, self.low_pass[:, None], stride=4)  # [batch, 3, samples / 3]
        return phases.transpose(1, 2).flatten(1)[:, :samples]


def _low_pass(zeros: int = 16) -> Tensor:
    """float32 [3, taps]: a windowed sine cardinal below 6 kHz, at the places 0, 4/3 and 8/3 of a sample."""
    cut, reach = 0.95 * 3 / 4, math.ceil(zeros * 4 / 3) + 3
    places = torch.arange(-reach, reach + 1, dtype=torch.float64)[None, :]
    away = places - torch.tensor([0, 4 / 3, 8 / 3], dtype=torch.float64)[:, None]
    window = torch.cos(math.pi * away / (2 * reach)).clamp(min=0) ** 2
    taps = torch.sinc(cut * away) * window
    return (taps / taps.sum(1, keepdim=True)).float()
