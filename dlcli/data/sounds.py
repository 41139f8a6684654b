"""One sound file as samples, by one rule for training and prediction; knows no data set.

Plain WAV files need the standard library only; soundfile is imported for the first other file,
scipy for the first one of another sample rate.
"""

from __future__ import annotations

import math
import wave
from collections.abc import Sequence
from importlib import import_module
from io import BytesIO
from pathlib import Path

import numpy as np

from dlcli.extras import import_extra

ENDINGS = frozenset(
    {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf"}
)
"""How the names of sound files end, in small letters."""

LONGEST_SECONDS = 10.0
"""What is kept of a sound unless `seconds` says more."""

_LOUDEST = 32768.0
_FASTEST = 2_000_000
"""Samples per second of no sound: a filter from such a rate to another would fill the memory."""


class SoundError(ValueError):
    """A file that holds no sound; the message says why, to follow the file's name."""


def read_bytes(path: Path) -> bytes:
    """Return what is in a file.

    Raises:
        SoundError: It is not there, or is not to be opened.
    """
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
            raise SoundError("is not a file")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SoundError("is not there") from error
    except (OSError, ValueError) as error:
        if isinstance(error, SoundError):
            raise
        raise SoundError(f"cannot be opened ({error})") from error


def decoded(data: bytes, seconds: float) -> tuple[np.ndarray, int]:
    """Return a sound's samples (S,) int16, the mean of its channels, and samples per second.

    Args:
        data: A sound file.
        seconds: At most so many, from the start.

    Raises:
        SoundError: The bytes hold no sound, or less than their header says.
        ExtraError: They are no plain WAV, and soundfile is not installed.
    """
    if not data:
        raise SoundError("is empty")
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        _check_whole(data)
        found = _from_wave(data, seconds) or _from_any(data, seconds)
    else:
        found = _from_any(data, seconds)
    channels, rate = found
    if rate > _FASTEST:
        raise SoundError(f"is damaged: {rate:,} samples per second")
    if not len(channels):
        raise SoundError("has no samples")
    if not np.isfinite(channels).all():
        raise SoundError("has samples that are not finite")
    return as_stored(channels.mean(axis=1, dtype=np.float64)), rate


def as_stored(samples: np.ndarray) -> np.ndarray:
    """Return samples from -1 to 1 as int16; louder ones are cut off."""
    return np.clip(np.rint(samples * _LOUDEST), -_LOUDEST, _LOUDEST - 1).astype(np.int16)


def resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Return samples (S,) int16 at another rate: filtered, then every so many taken."""
    if rate == wanted:
        return samples
    shared = math.gcd(rate, wanted)
    resample = import_module("scipy.signal").resample_poly
    return as_stored(resample(samples / _LOUDEST, wanted // shared, rate // shared))


def fitted(sounds: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Return sounds (N, length) int16: longer ones cut, shorter ones filled with silence."""
    rows = np.zeros((len(sounds), length), np.int16)
    for row, samples in zip(rows, sounds, strict=True):
        row[: len(samples)] = samples[:length]
    return rows


def _check_whole(data: bytes) -> None:
    """Raise SoundError for a WAV file that holds less sound than its header says."""
    place = 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        there = len(data) - place - 8
        if data[place : place + 4] == b"data":
            if size > there:
                raise SoundError(f"is cut short: {there:,} of {size:,} bytes of sound are there")
            return
        place += 8 + size + size % 2
    raise SoundError("is damaged: its header leads to no sound")


def _from_wave(data: bytes, seconds: float) -> tuple[np.ndarray, int] | None:
    """Return samples (S, channels) from -1 to 1 of a WAV file of whole numbers; None of others."""
    try:
        with wave.open(BytesIO(data)) as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            raw = file.readframes(math.ceil(seconds * rate))
    except wave.Error as error:
        if str(error).startswith("unknown"):  # such as floating point
            return None
        raise SoundError(f"is damaged ({error})") from error
    except EOFError as error:
        raise SoundError("is damaged: its header is cut short") from error
    if not rate or width > 4:
        raise SoundError(f"is damaged: {rate} samples per second of {width} bytes")
    whole: np.ndarray = np.frombuffer(raw, np.uint8)
    if width == 1:  # 0 to 255
        whole = whole ^ np.uint8(128)
    padded = np.zeros((whole.size // width, 4), np.uint8)
    padded[:, 4 - width :] = whole[: whole.size // width * width].reshape(-1, width)
    numbers = padded.view("<i4").reshape(-1)
    frames = numbers[: len(numbers) // channels * channels].reshape(-1, channels)
    return frames / 2.0**31, rate


def _from_any(data: bytes, seconds: float) -> tuple[np.ndarray, int]:
    """Return samples (S, channels) from -1 to 1 of whatever soundfile reads."""
    soundfile = import_extra("soundfile", extra="audio", purpose="sound other than plain WAV")
    try:
        with soundfile.SoundFile(BytesIO(data)) as file:
            rate = int(file.samplerate)
            frames = file.read(math.ceil(seconds * rate), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        reason = str(error).rpartition(": ")[2].rstrip(".")  # before it stands an address in memory
        raise SoundError(f"is no sound ({reason})") from error
    return frames, rate
