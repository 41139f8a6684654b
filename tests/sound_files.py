"""Writes small sound files."""

from __future__ import annotations

import struct
import wave

import numpy as np


def tone(hertz=440.0, *, rate=8000, seconds=0.1, loudness=0.5):
    """Samples (S,) from -1 to 1."""
    return loudness * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def write_wav(path, samples, *, rate=8000, width=2):
    """Write samples (S,) or (S, channels) from -1 to 1 as whole numbers of `width` bytes."""
    samples = np.atleast_2d(np.asarray(samples, float).T).T
    highest = 2 ** (8 * width - 1)
    whole = np.clip(np.rint(samples * highest), -highest, highest - 1).astype(np.int64)
    if width == 1:
        whole += 128
    raw = whole.reshape(-1, 1).astype("<i8").view(np.uint8)[:, :width].tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw)
    return path


def float_wav(samples, *, rate=8000):
    """Bytes of a WAV file of 32-bit floating point."""
    data = np.asarray(samples, "<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 1, rate, 4 * rate, 4, 32)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
