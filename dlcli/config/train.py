"""The `train` section: how long, on what, and when to stop and save."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dlcli.config.options import Count, Index, Options


class EarlyStoppingOptions(Options):
    """Stop when the monitored value has not improved for a while."""

    patience: Count = Field(5, description="Epochs without improvement before training stops.")


class TrainOptions(Options):
    """How long to train, on what, and when to stop and save."""

    epochs: Count = Field(20, description="Passes over the training rows.")
    monitor: str = Field(
        "val_loss",
        description="What decides the best epoch: `val_loss`, or `val_` and one of the metrics.",
    )
    early_stopping: EarlyStoppingOptions | None = Field(
        None, description="Stop when the monitored value no longer improves; null never does."
    )
    max_time: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Stop after so many seconds of training; null sets no limit."
    )
    device: str = Field(
        "auto", description="`auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:N`."
    )
    threads: Annotated[int, Field(ge=0, le=1024)] = Field(
        0, description="Processor threads for tensor work; 0 chooses by the size of the model."
    )
    accumulate: Count = Field(
        1, description="Parts into which each batch is cut to save memory; the result is the same."
    )
    checkpoint_every: Index = Field(
        0,
        description="Also save after every so many steps; 0 saves as epochs end, short ones once "
        "a second.",
    )
