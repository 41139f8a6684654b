"""`data: audio`: sound files and their labels; reads none."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dlcli.config.data.augment import SoundAugmentOptions
from dlcli.config.data.base import RecordOptions
from dlcli.config.options import DataPath, Options, PositiveFloat


class SoundOptions(Options):
    """How a sound file becomes a spectrogram; kept for prediction."""

    sample_rate: Annotated[int, Field(ge=100, le=384_000)] | None = Field(
        None, description="Samples per second to convert to; null keeps that of the files."
    )
    seconds: PositiveFloat | None = Field(
        None,
        description="Length of every sound: longer ones are cut, shorter ones filled with silence; "
        "null is the longest of training, at most 10.",
    )
    n_mels: Annotated[int, Field(ge=4, le=512)] = Field(
        64, description="Mel bands: frequencies as an ear tells them apart."
    )
    window_ms: Annotated[float, Field(gt=0, le=1000)] = Field(
        25.0, description="Milliseconds that a frame covers."
    )
    hop_ms: PositiveFloat = Field(10.0, description="Milliseconds from one frame to the next.")


class AudioOptions(RecordOptions):
    """Sounds: a folder per class, a table of paths, or labels in the files' names."""

    forms = frozenset({"vector", "image", "sequence"})

    name: Literal["audio"] = "audio"
    builds: ClassVar[str] = "dlcli.data.sources.audio:open_audio"

    path: DataPath = Field(
        description="Folder with a folder for each class, folder whose file names match `pattern`, "
        "or a CSV, TSV, JSON lines or Parquet table of paths."
    )
    test_path: DataPath | None = Field(
        None, description="The same with test sounds; null draws them from `path`."
    )
    pattern: str | None = Field(
        None,
        description="What file names say: `{label}_{speaker}_{index}.wav`; the names in braces "
        "are columns, `target` among them; `split` can use the others.",
    )
    audio: str = Field("audio", description="Of a table: the column of paths.")
    target: str = Field(
        "label", description="Column to predict: of a table, or a name in the `pattern`."
    )
    test_where: dict[str, list[str | int]] | None = Field(
        None,
        description="Test rows by what their file names or columns say: "
        "`{index: [0, 1, 2, 3, 4]}` or `{speaker: [theo]}`.",
    )
    sound: SoundOptions = Field(SoundOptions(), description="How a file becomes a spectrogram.")
    augment: SoundAugmentOptions | None = Field(
        None, description="How training sounds are varied; null leaves them as they are."
    )
    broken: Literal["refuse", "skip"] = Field(
        "refuse", description="What to do with files that hold no sound."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.pattern is not None:
            self._check_pattern(self.pattern)
        if self.target == self.audio:
            raise ValueError(f"`{self.target}` is both the sound and the `target`")
        if self.test_path is not None and self.test_where is not None:
            raise ValueError("`test_path` and `test_where` both give the test rows: give one")
        if self.split.folds is not None and (self.test_path or self.test_where):
            raise ValueError("`split.folds` draws the test parts, so none can be given")
        return self

    def _check_pattern(self, pattern: str) -> None:
        names = re.findall(r"\{([^{}]*)\}", pattern)
        strange = [name for name in names if not name.isidentifier()]
        if strange or not names or set(re.sub(r"\{[^{}]*\}", "", pattern)) & {"{", "}"}:
            raise ValueError(
                f"`pattern: {pattern}` needs names in braces: `{{label}}_{{speaker}}.wav`"
            )
        if len(set(names)) < len(names):
            raise ValueError("`pattern` has a name twice")
        if self.target not in names:
            raise ValueError(f"`pattern` has no `{{{self.target}}}`, which is the `target`")
        if self.audio in names:
            raise ValueError(f"`{self.audio}` in `pattern` is the name of the sound itself")
