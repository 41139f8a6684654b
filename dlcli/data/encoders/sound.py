"""Sounds as samples of one rate and length; the model makes spectrograms of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from dlcli.config.data import SoundOptions
from dlcli.data.encoders.encoder import CellError
from dlcli.data.encoders.parse import numbers
from dlcli.data.logmel import LogMel
from dlcli.data.sounds import (
    LONGEST_SECONDS,
    SoundError,
    as_stored,
    decoded,
    fitted,
    read_bytes,
    resampled,
)
from dlcli.data.spec import Field, Spectrogram

_ROWS_AT_ONCE = 64
_LEAST_STD = 0.01  # of a logarithm: a band that is always silent is not blown up


@dataclass(frozen=True)
class SoundEncoder:
    """A column of sounds; see `Encoder`.

    A cell is samples with their rate (a record of `rate` and `samples`), the path of a sound file,
    or a list of samples at the encoder's own rate: whole ones of 16 bits, or numbers from -1 to 1.

    Attributes:
        name: The column.
        sample_rate: Samples per second.
        length: Samples of every sound.
        window: Samples of a spectrogram's frame.
        hop: Samples from one frame to the next.
        n_mels: Bands of a frame.
        mean: Per band, over the training rows' frames, silence at their ends among them.
        std: Likewise.
    """

    name: str
    sample_rate: int
    length: int
    window: int
    hop: int
    n_mels: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def field(self) -> Field:
        """One sound."""
        spectrogram = Spectrogram(self.sample_rate, self.window, self.hop, self.n_mels)
        return Field(
            self.name,
            "sound",
            (self.length,),
            mean=self.mean,
            std=self.std,
            spectrogram=spectrogram,
        )

    @property
    def is_constant(self) -> bool:
        """Return False: a sound is not looked into."""
        return False

    def encode(self, array: pa.Array) -> Tensor:
        """Return (N, length) int16."""
        sounds = [
            resampled(samples, rate, self.sample_rate) for samples, rate in self._sounds(array)
        ]
        return torch.from_numpy(fitted(sounds, self.length))

    def decode(self, values: Tensor) -> list[Any]:
        """Return rows of samples."""
        sounds: list[Any] = values.tolist()
        return sounds

    def notes(self, array: pa.Array, encoded: Tensor) -> dict[str, int]:  # noqa: ARG002
        """Return nothing."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return plain data."""
        plain = asdict(self) | {"mean": list(self.mean), "std": list(self.std)}
        return {"kind": "sound", **plain}

    def _sounds(self, array: pa.Array) -> Iterator[tuple[np.ndarray, int]]:
        """Yield each cell's samples (S,) int16 and their rate."""
        if array.null_count:
            raise CellError(self.name, None, "is missing")
        if pa.types.is_struct(array.type):
            yield from stored_sounds(array)
            return
        for cell in array:
            if pa.types.is_string(array.type):
                yield self._from_file(cell.as_py())
            else:
                yield self._from_list(cell), self.sample_rate

    def _from_file(self, path: str) -> tuple[np.ndarray, int]:
        try:
            return decoded(read_bytes(Path(path)), self.length / self.sample_rate)
        except SoundError as error:
            raise CellError(self.name, path, str(error)) from error

    def _from_list(self, cell: pa.Scalar) -> np.ndarray:
        expected = (
            "is no sound: the path of a file, or a list of samples from -1 to 1, or of whole "
            "numbers of 16 bits"
        )
        if not pa.types.is_list(cell.type) or pa.types.is_nested(cell.type.value_type):
            raise CellError(self.name, cell.as_py(), expected)
        values = numbers(cell.values, self.name)
        # Told by the cell's own range: its type depends on the other cells of the batch.
        is_16_bit = len(values) > 0 and np.abs(values).max() > 1
        highest = 1 << 15 if is_16_bit else 1
        is_fitting = (np.abs(values) <= highest) & (not is_16_bit or values == np.floor(values))
        if not len(values) or not is_fitting.all():
            raise CellError(self.name, cell.as_py(), expected)
        return as_stored(values / highest)


def stored_sounds(array: pa.StructArray) -> Iterator[tuple[np.ndarray, int]]:
    """Yield the samples (S,) and the rate of each record of `rate` and `samples`; no copies."""
    samples = array.field("samples")
    bounds = samples.offsets.to_numpy()
    values = samples.values.to_numpy()
    for start, stop, rate in zip(bounds, bounds[1:], array.field("rate").to_pylist(), strict=False):
        yield values[start:stop], rate


class SoundFit:
    """Fits a `SoundEncoder`: the rate and the longest sound in one pass, the bands in a second one.

    Args:
        name: The column; the most frequent rate of its sounds is that of all.
        options: How a sound becomes a spectrogram.
    """

    def __init__(self, name: str, options: SoundOptions) -> None:
        self._name, self._options = name, options
        self._rates: Counter[int] = Counter()
        self._longest: dict[int, int] = {}  # of each rate
        self._encoder: SoundEncoder | None = None
        self._count = 0
        self._sums: np.ndarray = np.zeros(0)
        self._squares: np.ndarray = np.zeros(0)

    def add(self, array: pa.Array) -> None:
        """Take in training cells; see `Fit`."""
        if self._encoder is None:
            for samples, rate in stored_sounds(array):
                self._rates[rate] += 1
                self._longest[rate] = max(self._longest.get(rate, 0), len(samples))
            return
        for start in range(0, len(array), _ROWS_AT_ONCE):
            sounds = self._encoder.encode(array.slice(start, _ROWS_AT_ONCE))
            bands = self._log_mel(sounds).double()  # (N, mels, frames)
            self._count += bands.shape[0] * bands.shape[2]
            self._sums += bands.sum((0, 2)).numpy()
            self._squares += bands.square().sum((0, 2)).numpy()

    def again(self) -> bool:
        """Ask once for a second pass."""
        if self._encoder is not None:
            return False
        self._encoder = self._without_bands()
        self._log_mel = LogMel(self._encoder.field.spectrogram)  # type: ignore[arg-type]
        self._sums = np.zeros(self._options.n_mels)
        self._squares = np.zeros(self._options.n_mels)
        return True

    def finish(self) -> SoundEncoder:
        """Return the encoder."""
        if self._encoder is None or not self._count:
            raise CellError(self._name, None, "is missing in every training row")
        mean = self._sums / self._count
        variance = (self._squares / self._count - mean**2).clip(0)
        std = np.maximum(np.sqrt(variance), _LEAST_STD)
        return replace(self._encoder, mean=tuple(mean.tolist()), std=tuple(std.tolist()))

    def _without_bands(self) -> SoundEncoder:
        options = self._options
        rate = max(self._rates, key=lambda rate: (self._rates[rate], rate))
        longest = max(-(-size * rate // own) for own, size in self._longest.items())
        most = round((options.seconds or LONGEST_SECONDS) * rate)
        return SoundEncoder(
            self._name,
            sample_rate=rate,
            length=max(1, most if options.seconds else min(longest, most)),
            window=max(1, round(rate * options.window_ms / 1000)),
            hop=max(1, round(rate * options.hop_ms / 1000)),
            n_mels=options.n_mels,
        )
