"""A trained model as it is used: records in, answers out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlcli import __version__, checkpoint
from dlcli.build import Learner, build_learner
from dlcli.config.data import SeriesOptions
from dlcli.config.read import Stored, config_from
from dlcli.data.columns_given import Columns, as_table
from dlcli.data.preprocessor import Preprocessor
from dlcli.data.unseen import records_to_predict
from dlcli.description import SelfTest, weights_of
from dlcli.errors import ConfigError, NewerError, UsageError
from dlcli.files import relative
from dlcli.forecasting import forecast
from dlcli.hardware import choose_device
from dlcli.selftest import compare

if TYPE_CHECKING:
    import pyarrow as pa

    from dlcli.config.config import Config

_BLOCK_BYTES = 1 << 24
"""Half of what is kept from chunk to chunk."""


@dataclass(frozen=True)
class TrainedModel:
    """A model out of a checkpoint.

    Attributes:
        config: The config that it was trained with, every default filled in.
        learner: Network, preprocessor, task, loss and metrics.
        data: Everything that the checkpoint says beside its tensors; see `dlcli.description`.
        warnings: What the self-test had to say.
    """

    config: Config
    learner: Learner
    data: Mapping[str, Any]
    warnings: tuple[str, ...]

    @property
    def has_confidence(self) -> bool:
        """Whether it is a classifier whose answers are probabilities."""
        return bool(self.learner.task.classes) and self.learner.loss.has_probabilities

    def predict(self, records: Sequence[Mapping[str, object]] | Columns) -> list[Any]:
        """Answer records: a class name or number each; a list of numbers for several targets.

        Of a series the records are its rows in order of time, and the answers are what comes next:
        one for each row of the horizon. Of sequences in long format there is one for each id.

        Args:
            records: Column name to value, as in the training data; the target is not needed, but
                for that of a series. A picture is a path, rows of pixels, or an array or tensor
                (H, W), (H, W, C) or (C, H, W) of values from 0 to 255. Many at once are answered
                faster as columns: column name to N values, such as an array or tensor, or a data
                frame; pictures are (N, H, W), (N, H, W, C) or (N, C, H, W) there.

        Raises:
            DataError: A column is missing or a value does not parse.
            UsageError: It is a language model.
        """
        learner, options = self.learner, self.config.data
        if learner.preprocessor.spec.is_stream:
            raise UsageError(
                "a language model goes on with a text, it does not answer records",
                suggestion="`dlcli predict TEXT`, or dlcli.commands.generate.continuation",
            )
        fields = learner.preprocessor.spec.inputs
        given = records if isinstance(records, Sequence) else as_table(records, fields)
        if isinstance(options, SeriesOptions):
            rows = given if isinstance(given, Sequence) else given.to_pylist()
            told = forecast(learner, options, rows).answers.unsqueeze(0)  # (1, H, D)
            ahead: list[Any] = learner.task.predictions(told)[0]
            return ahead
        batches = records_to_predict(given, options, learner.preprocessor)
        return [
            answer
            for batch, _names in batches
            for answer in learner.task.predictions(self.answers(batch))
        ]

    def answers(self, batch: pa.RecordBatch) -> Tensor:
        """Return the answers (N, K) probabilities or scores, or numbers in units, on the CPU."""
        return self.compute(self.learner.preprocessor.encode_inputs(batch))

    def compute(self, blocks: Mapping[str, Tensor]) -> Tensor:
        """Return the answers for inputs that are encoded; see `answers`.

        As many rows go through the network at a time as its memory is meant for.

        Args:
            blocks: By name (N, ...), as `Preprocessor.encode_inputs` returns them.
        """
        learner = self.learner
        size, count = learner.evaluation.batch_size, len(next(iter(blocks.values())))
        if count > size:
            _keep_chunks_memory()
        answers = torch.empty(0)
        for start in range(0, max(1, count), size):
            chunk = slice(start, start + size)
            inputs = {name: block[chunk].to(learner.device) for name, block in blocks.items()}
            with torch.inference_mode():
                some = learner.evaluation.answers(learner.network(inputs))
            if not start:
                answers = torch.empty(count, *some.shape[1:], dtype=some.dtype)
            answers[chunk] = some
        return answers


def _keep_chunks_memory() -> None:
    """Let glibc keep up to 32 MB that a chunk frees for the next one, instead of giving it back.

    What comes from the kernel anew costs a fault for each page: of pictures up to a third of the
    time. glibc gives back what is free beyond twice the largest block freed so far, so one is
    freed, of which no page is touched. Not more, as for a training: the process is the user's.
    https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    torch.empty(_BLOCK_BYTES, dtype=torch.uint8)


def open_trained(path: Path, *, device: str = "cpu", trust_code: bool = False) -> TrainedModel:
    """Open a checkpoint for use.

    Args:
        path: The file.
        device: Where to compute.
        trust_code: Whether code that it holds may run.

    Raises:
        CheckpointError: It is missing, damaged, or computes something else here.
        ConfigError: It needs code that it holds, which is not trusted.
    """
    loaded = checkpoint.load(path)
    data = loaded.data
    config = config_in(data, path, trust_code=trust_code)
    learner = rebuild_learner(config, data, device=_device(device))
    load_weights(learner, loaded)
    warning = compare(SelfTest.of(learner).outputs(), data["self_test"])
    learner.network.eval()
    return TrainedModel(config, learner, data, (warning,) if warning else ())


def config_in(data: Mapping[str, Any], path: Path, *, trust_code: bool) -> Config:
    """Return the config that a checkpoint's data holds.

    Raises:
        ConfigError: It needs code that it holds, which is not trusted.
        NewerError: This program does not know all of it, for it is the older one.
    """
    written = str(data["versions"]["dlcli"])
    try:
        return config_from(data["config"], stored=stored_in(data, path, trust_code=trust_code))
    except ConfigError as error:
        if _numbers(written) <= _numbers(__version__):
            raise
        raise NewerError(
            f"`{path}` was written by dlcli {written}, and this is {__version__}: "
            f"{error.faults[0].message}",
            suggestion="update dlcli",
        ) from error


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def stored_in(data: Mapping[str, Any], path: Path, *, trust_code: bool) -> Stored:
    """Return the own code that a checkpoint's data holds."""
    return Stored(data.get("code", {}), f"`{relative(path)}`", trust_code)


def _device(name: str) -> torch.device:
    try:
        return choose_device(name)
    except ConfigError as error:  # here it stands on the command line
        raise UsageError(error.faults[0].message, suggestion="auto, cpu, cuda or cuda:1") from error


def load_weights(learner: Learner, loaded: checkpoint.Loaded) -> None:
    """Give a learner's network the weights of a checkpoint: the averaged ones where it has them."""
    learner.network.load_state_dict(weights_of(loaded))


def rebuild_learner(config: Config, data: Mapping[str, Any], *, device: torch.device) -> Learner:
    """Build the learner that a checkpoint describes; its weights are yet to be loaded."""
    counts = data["class_counts"]
    return build_learner(
        config,
        task_name=data["task"],
        preprocessor=Preprocessor.from_state(data["preprocessor"]),
        class_counts=None if counts is None else torch.tensor(counts),
        device=device,
    )
