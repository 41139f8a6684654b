"""Many sound files as one column, each decoded once; knows neither labels nor tables."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from dlcli.config.data import SoundOptions
from dlcli.data.sounds import LONGEST_SECONDS, SoundError, decoded, read_bytes, resampled
from dlcli.data.sources.broken import say_broken
from dlcli.data.wording import counted
from dlcli.errors import DataError

_AT_ONCE = 1024
_CELLS_OF_A_CHUNK = 512
_SHOWN = 10


@dataclass(frozen=True)
class Sounds:
    """What was found in files.

    Attributes:
        samples: Per file that holds a sound, (S,) int16.
        rates: Samples per second of each (N,).
        kept: Their places among all files (N,), ascending.
        digests: sha256 over the bytes of each file.
        warnings: What the user should know.
    """

    samples: Sequence[np.ndarray]
    rates: np.ndarray
    kept: np.ndarray
    digests: Sequence[bytes]
    warnings: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """The sha256 over all of them."""
        return hashlib.sha256(b"".join(self.digests)).hexdigest()

    def cells(self, start: int, stop: int) -> pa.ChunkedArray:
        """Return sounds from start up to stop as records of `rate` and `samples`."""
        edges = [*range(start, stop, _CELLS_OF_A_CHUNK), stop]
        return pa.chunked_array(
            [
                _records(self.samples[low:high], self.rates[low:high])
                for low, high in pairwise(edges)
            ]
        )


def decode_files(
    files: Sequence[Path],
    options: SoundOptions,
    *,
    trained: int,
    broken: Literal["refuse", "skip"],
) -> Sounds:
    """Decode files, in threads.

    Args:
        files: Any number from 1.
        options: Their rate, and their length at most; without a rate, each keeps its own.
        trained: So many files, the first ones, are to be trained on.
        broken: Whether files that hold no sound are refused or left out.

    Raises:
        DataError: Files are missing or hold no sound: all of them, the first ones by name.
        ExtraError: A file needs soundfile, which is not installed.
    """
    seconds = options.seconds or LONGEST_SECONDS
    digests: list[bytes] = []
    faults: list[str] = []
    kept: list[int] = []
    found: list[np.ndarray] = []
    rates: list[int] = []
    for place, (sha256, sound) in enumerate(_decode_all(files, seconds)):
        digests.append(sha256)
        if isinstance(sound, SoundError):
            faults.append(f"{files[place]} {sound}")
            continue
        found.append(sound[0])
        rates.append(sound[1])
        kept.append(place)
    warnings = [say_broken(faults, len(files), "sounds", broken)] if faults else []
    if not np.searchsorted(kept, trained):
        raise DataError(f"none of {counted(trained, 'file')} holds a sound", path=("data", "path"))
    if options.sample_rate is not None:
        rate = options.sample_rate
        found = [resampled(one, own, rate) for one, own in zip(found, rates, strict=True)]
        rates = [rate] * len(found)
    elif len(set(rates)) > 1:
        warnings.append(_say_rates(Counter(rates)))
    samples = [one[: math.ceil(seconds * own)] for one, own in zip(found, rates, strict=True)]
    return Sounds(samples, np.array(rates, np.int32), np.array(kept), digests, tuple(warnings))


def _decode_all(
    files: Sequence[Path], seconds: float
) -> Iterator[tuple[bytes, tuple[np.ndarray, int] | SoundError]]:
    """Yield each file's sha256, and its samples and their rate or why there are none."""

    def read(file: Path) -> tuple[bytes, tuple[np.ndarray, int] | SoundError]:
        sha256 = b""
        try:
            data = read_bytes(file)
            sha256 = hashlib.sha256(data).digest()
            return sha256, decoded(data, seconds)
        except SoundError as error:
            return sha256, error

    # shown on a terminal alone, and only where it takes long
    bar = tqdm(total=len(files), unit=" sounds", delay=2, leave=False, disable=None)
    with bar, ThreadPoolExecutor() as pool:
        for start in range(0, len(files), _AT_ONCE):
            for found in pool.map(read, files[start : start + _AT_ONCE]):
                bar.update()
                yield found


def _records(samples: Sequence[np.ndarray], rates: np.ndarray) -> pa.StructArray:
    ends = np.cumsum([0, *(len(one) for one in samples)])
    lists = pa.LargeListArray.from_arrays(pa.array(ends), pa.array(np.concatenate(samples)))
    return pa.StructArray.from_arrays([pa.array(rates), lists], names=["rate", "samples"])


def _say_rates(counts: Counter[int]) -> str:
    found = ", ".join(f"{one:,} ({count:,} files)" for one, count in counts.most_common(_SHOWN))
    return (
        f"the sounds have several sample rates, {found}; all are brought to the most frequent one "
        f"of the training rows (`sound: {{sample_rate: {counts.most_common(1)[0][0]}}}` sets one)"
    )
