"""`dlcli summary CONFIG`: the network that a config asks for, layer by layer, before it trains."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from dlcli.build import build_learner, count_parameters, open_sources, scales_targets
from dlcli.commands.outcome import Outcome
from dlcli.commands.train import with_batch_size
from dlcli.config.checks import cross_check
from dlcli.config.read import ReadConfig
from dlcli.data.prepare import prepare
from dlcli.errors import ConfigError, UsageError
from dlcli.files import relative
from dlcli.progress import Talk
from dlcli.report.boxes import save_boxes, sizes
from dlcli.report.layers import Layer, grouped, layers_of
from dlcli.report.pictures import check_ending
from dlcli.report.scores import plain_table, print_table

_MOST_BOXES = 12
_ROWS = 32
"""Examples that are sent through the network."""
_MB = 1e6


def summarise(read: ReadConfig, *, output: Path | None = None, is_forced: bool = False) -> Outcome:
    """Prepare the data, build the network and describe it; nothing is trained.

    Args:
        read: The config as read.
        output: Where to save a picture of the network, in the format that its name ends with.
        is_forced: Replace an output that exists.

    Raises:
        DlcliError: See `dlcli.errors` for each cause.
    """
    if output is not None:
        _check_output(output, is_forced=is_forced)
    config = read.config
    prepared = prepare(
        open_sources(config, read.folder),
        config.data,
        task=config.task,
        scale_targets=scales_targets(config),
        fold=None if config.data.folds is None else 0,
    )
    if faults := cross_check(config.model_copy(update={"task": prepared.task})):
        raise ConfigError(faults)
    learner = build_learner(
        config,
        task_name=prepared.task,
        preprocessor=prepared.preprocessor,
        class_counts=prepared.class_counts,
        device=torch.device("cpu"),
    )
    train = prepared.examples["train"]
    batch = train.slice(0, min(_ROWS, len(train)))
    layers = layers_of(learner.network, batch.inputs)
    parameters = count_parameters(learner.network)
    values = sum(layer.values for layer in layers)
    size = with_batch_size(config, learner, train, Talk(is_quiet=True)).data.rows_per_step
    result: dict[str, Any] = {
        "schema": 1,
        "command": "summary",
        "status": "ok",
        "model": config.model.name,
        "layers": [asdict(layer) for layer in layers],
        "parameters": parameters,
        "multiply_adds": sum(layer.multiply_adds for layer in layers),
        "parameters_mb": parameters * 4 / _MB,
        "activations_mb": size * values * 4 / _MB,
        "batch_size": size,
        "picture": None,
    }
    if output is not None:
        title = f"{config.name}: {config.model.name}, {parameters:,} parameters"
        save_boxes(output, grouped(layers, most=_MOST_BOXES), title=title)
        result["picture"] = relative(output)
    return Outcome(result, lambda: _show(result, layers))


def _check_output(output: Path, *, is_forced: bool) -> None:
    """Refuse a picture that would be of no known format, or would replace a file.

    Raises:
        UsageError: It would.
    """
    check_ending(output)
    if output.exists() and not is_forced:
        raise UsageError(f"{output} exists", suggestion="--force replaces it")


def _show(result: Mapping[str, Any], layers: Sequence[Layer]) -> None:
    table = plain_table()
    for heading in ("", "layer"):
        table.add_column(heading)
    for heading in ("input", "output", "parameters", "multiply-adds"):
        table.add_column(heading, justify="right")
    for layer in layers:
        table.add_row(
            layer.name,
            layer.kind,
            sizes(layer.inputs),
            sizes(layer.outputs),
            f"{layer.parameters:,}" if layer.parameters else "",
            f"{layer.multiply_adds:,}" if layer.multiply_adds else "",
        )
    table.add_section()
    table.add_row("in all", "", "", "", f"{result['parameters']:,}", f"{result['multiply_adds']:,}")
    print_table(table)
    sys.stdout.write(
        f"memory: {result['parameters_mb']:,.1f} MB of parameters; in training as much again of "
        f"gradients, and {result['activations_mb']:,.1f} MB of layers' outputs for batches of "
        f"{result['batch_size']:,}\n"
    )
    if result["picture"] is not None:
        sys.stdout.write(f"picture: {result['picture']}\n")
