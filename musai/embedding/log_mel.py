"""Log-mel spectrograms as tensors, on whatever device the sound is.

Short-time Fourier transform of 512 samples every 256 (periodic Hann window, reflected edges), power, 96 triangular
filters between 0 and 8 kHz on O'Shaughnessy's mel scale (2595 log10(1 + f/700), peaks of 1), in decibels: what
torchaudio's MelSpectrogram and AmplitudeToDB give, which the published taggers were trained on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SAMPLE_RATE, N_FFT, HOP, MELS = 16_000, 512, 256, 96
FLOOR = 1e-10  # power; -100 dB


def mel_filters(sample_rate: int = SAMPLE_RATE, n_fft: int = N_FFT, mels: int = MELS) -> Tensor:
    """float32 [n_fft // 2 + 1, mels]: the weight of each frequency in each band, 0 Hz to sample_rate / 2."""
    bins_hz = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    highest_mel = 2595 * torch.log10(torch.tensor(1 + sample_rate / 2 / 700, dtype=torch.float64))
    edges_hz = 700 * (10 ** (torch.linspace(0, float(highest_mel), mels + 2, dtype=torch.float64) / 2595) - 1)
    widths = edges_hz.diff()
    slopes = edges_hz[None, :] - bins_hz[:, None]  # [bins, mels + 2]
    rising = -slopes[:, :-2] / widths[:-1]
    falling = slopes[:, 2:] / widths[1:]
    return torch.minimum(rising, falling).clamp(min=0).float()


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
