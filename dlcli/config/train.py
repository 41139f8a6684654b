"""The `train` section: how long, on what, and when to stop and save."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dlcli.config.options import Count, DataPath, Index, Like, Options, PositiveFloat

Decay = Annotated[float, Field(gt=0, lt=1)]
Span = Annotated[str, Field(pattern=r"^[0-9]{1,6}(\.[0-9]{1,3})?(s|m|h)$"), Like("10m")]
"""A time as a number and its unit: `90s`, `10m`, `1.5h`."""


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
    precision: Literal["fp32", "tf32", "medium", "bf16", "fp16"] = Field(
        "fp32",
        description="Of forward and backward: `bf16` and `fp16` (scaled) by autocast; in matrix "
        "products alone, `tf32` on CUDA, `medium` on processors too; the weights stay float32.",
    )
    clip_norm: PositiveFloat | None = Field(
        None, description="Longest gradient of a step, over all parameters; null does not clip."
    )
    clip_value: PositiveFloat | None = Field(
        None, description="Largest entry of a gradient, cut before `clip_norm`; null does not clip."
    )
    ema: Decay | None = Field(
        None,
        description="Decay of an exponential moving average of the weights, 0.999 for one; val, "
        "test and predictions use the average.",
    )
    sampling: Literal["shuffle", "balanced"] = Field(
        "shuffle",
        description="Each row once an epoch; or as many draws, with every class equally likely.",
    )
    freeze: list[str] = Field(
        [],
        description="Layers that are not trained, by the names of `dlcli summary`; `*` stands for "
        "anything: [stem, 'body.*'].",
    )
    init_from: DataPath | None = Field(
        None,
        description="A checkpoint whose weights training begins with, wherever name and shape fit.",
    )
    compile: bool = Field(
        False, description="Compile the network by `torch.compile`: a minute first, faster steps."
    )
    deterministic: bool = Field(
        False, description="Refuse operations whose result differs from one run to the next."
    )
    sharded: bool = Field(
        False,
        description="Under torchrun, share out weights, gradients and optimizer state among the "
        "ranks (FSDP), for models that one device cannot hold.",
    )
    checkpoint_every: Index | Span = Field(
        0,
        description="Also save after every so many steps, or a time such as `90s` or `10m`; 0 "
        "saves as epochs end, short ones once a second.",
    )

    @property
    def save_steps(self) -> int:
        """Steps between saves within an epoch; 0 for none."""
        return self.checkpoint_every if isinstance(self.checkpoint_every, int) else 0

    @property
    def save_seconds(self) -> float | None:
        """Seconds between saves within an epoch; None for none."""
        if isinstance(self.checkpoint_every, int):
            return None
        return (
            float(self.checkpoint_every[:-1])
            * {"s": 1, "m": 60, "h": 3600}[self.checkpoint_every[-1]]
        )
