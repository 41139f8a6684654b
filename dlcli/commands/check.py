"""`dlcli check CONFIG` and `train --dry-run`: what can be known before a training is paid for."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from dlcli.build import build_learner
from dlcli.checks.cost import check_cost, foretell
from dlcli.checks.finding import Finding, warning
from dlcli.checks.independence import check_independence
from dlcli.checks.leak import check_leaks
from dlcli.checks.learning import check_by_heart, check_gradients
from dlcli.checks.network import check_network
from dlcli.checks.rate import check_rate
from dlcli.checks.rows import check_rows
from dlcli.checks.scale import check_scale
from dlcli.checks.signal import check_signal
from dlcli.commands.complete import Training
from dlcli.commands.outcome import Outcome
from dlcli.commands.train import Turn, fresh_training, prepare_turn
from dlcli.config.read import ReadConfig
from dlcli.data.prepared import Prepared
from dlcli.data.wording import counted
from dlcli.hardware import default_threads
from dlcli.messages import printable
from dlcli.progress import Talk
from dlcli.schedulers.schedule import endless_warmup
from dlcli.training.protocols import Batch
from dlcli.training.randomness import epoch_order

_PROBE_ROWS = 1024


def check_config(read: ReadConfig, *, command: str = "check", is_quiet: bool = False) -> Outcome:
    """Prepare the data and the network as a training would, and look for what is wrong; no run.

    Args:
        read: The config as read.
        command: How the result names itself.
        is_quiet: Say nothing on stderr.

    Raises:
        DlcliError: See `dlcli.errors` for each cause: a training would fail of it.
    """
    talk = Talk(is_quiet=is_quiet)
    talk.say(f"checking {read.path}")
    torch.set_num_threads(default_threads())
    turn = Turn(read.config, fold=None if read.config.data.folds is None else 0)
    hushed = Talk(is_quiet=True)  # what it warns of is among the findings
    prepared = prepare_turn(read, turn, hushed)
    training = fresh_training(read, turn, prepared, hushed)
    cost = foretell(training.config, training.learner, training.examples)
    findings = [
        *_of_data(prepared, training),
        *_of_model(prepared, training),
        *(check_cost(cost, training.config, training.learner.device) if cost else ()),
    ]
    count = sum(finding.status == "warning" for finding in findings)
    result = {
        "schema": 1,
        "command": command,
        "status": "ok",
        "warnings": count,
        "checks": [_plain(finding) for finding in findings],
        "cost": cost and asdict(cost),
        "batch_size": training.config.data.rows_per_step,
    }
    return Outcome(result, lambda: _show(findings))


def _of_data(prepared: Prepared, training: Training) -> Iterator[Finding]:
    learner, train = training.learner, training.examples["train"]
    spec = learner.preprocessor.spec
    yield from check_rows(prepared)
    leaks = check_leaks(prepared.examples["train"], spec, classes=len(learner.task.classes))
    signal = check_signal(training.config, learner, train)
    yield from (finding for finding in (leaks, signal) if finding is not None)
    scales = not learner.task.classes and learner.loss_options.scales_targets
    yield from check_scale(
        prepared.examples["train"], spec, scales_targets=scales and not spec.is_stream
    )


def _of_model(prepared: Prepared, training: Training) -> Iterator[Finding]:
    config, learner, train = training.config, training.learner, training.examples["train"]
    rows = min(_PROBE_ROWS, learner.evaluation.batch_size)
    order = epoch_order(config.seed, 0, len(train))[:rows].to(train.targets.device)
    probe: Batch = train.take(order)
    yield from check_network(learner, probe, _drawn_anew(prepared, training))
    independence = check_independence(learner.network, probe)
    if independence is not None:
        yield independence
    yield check_gradients(config, learner, train)
    yield check_by_heart(config, learner, train)
    yield check_rate(config, learner, train)
    warmup = endless_warmup(config.scheduler, training.steps)
    if warmup:
        yield warning("warm-up", warmup, "a share of all steps, such as `scheduler.warmup: 0.05`")


def _drawn_anew(prepared: Prepared, training: Training) -> nn.Module | None:
    """Return the network with weights that no file gave it, where some of its layers are frozen."""
    learner = training.learner
    if all(parameter.requires_grad for parameter in learner.network.parameters()):
        return None
    return build_learner(
        training.config,
        task_name=prepared.task,
        preprocessor=prepared.preprocessor,
        class_counts=prepared.class_counts,
        device=learner.device,
    ).network


def _plain(finding: Finding) -> dict[str, Any]:
    return {key: getattr(finding, key) for key in ("name", "status", "message", "remedy")}


def _show(findings: Sequence[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        remedy = f" -> {finding.remedy}" if finding.remedy else ""
        line = f"{finding.status:7}  {finding.name:{width}}  {finding.message}{remedy}"
        sys.stdout.write(printable(line) + "\n")
    count = sum(finding.status == "warning" for finding in findings)
    warned = counted(count, "warning") if count else "nothing wrong"
    sys.stdout.write(f"{len(findings)} checks: {warned}\n")
