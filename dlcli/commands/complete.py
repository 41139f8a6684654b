"""The second half of `dlcli train`: train to the end, measure the best weights, write it down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from traceback import format_exc
from typing import Any

from torch import Tensor

from dlcli import checkpoint
from dlcli.build import Learner, build_monitor, has_batch_statistics
from dlcli.commands.outcome import Outcome
from dlcli.config.config import Config
from dlcli.config.own import own_codes
from dlcli.data.examples import Examples
from dlcli.data.split import PARTS
from dlcli.description import weights_of
from dlcli.errors import DlcliError, InterruptedRunError, MachineError
from dlcli.files import JSON, relative
from dlcli.launch import Place
from dlcli.models.seen import seen_once
from dlcli.progress import Talk
from dlcli.report.advice import is_still_improving, worse_than_a_baseline
from dlcli.report.scores import print_scores
from dlcli.run import Ending, Run, UnownedRun
from dlcli.saving import Saver
from dlcli.schedulers.schedule import endless_warmup
from dlcli.session import Session
from dlcli.training.diagnosis import dead_layers
from dlcli.training.distributed import Distribution
from dlcli.training.medium import FLOAT32_ERROR, product_error
from dlcli.training.state import Scores
from dlcli.training.trainer import Trainer

_PROBE_ROWS = 1024


@dataclass(frozen=True)
class Training:
    """Everything that a training needs, made from a config or from a checkpoint.

    Attributes:
        config: What was asked for.
        learner: What is trained.
        examples: The parts, on the learner's device; a part without rows is left out.
        description: What a checkpoint holds beside state and tensors.
        trainer: At the beginning, or where a checkpoint left it.
    """

    config: Config
    learner: Learner
    examples: Mapping[str, Examples]
    description: Mapping[str, Any]
    trainer: Trainer

    @property
    def steps(self) -> int:
        """Of all epochs."""
        per_epoch = -(-len(self.examples["train"]) // self.config.data.rows_per_step)
        return per_epoch * self.config.train.epochs


def led(open_run: Callable[[], Run], distribution: Distribution) -> Run:
    """Return the run of a training: rank 0 opens it, the others know of it and write nothing."""
    run = open_run() if distribution.rank == 0 else None
    path, facts = distribution.first((run.path, run.facts) if run else (Path(), {}))
    return run or UnownedRun(path, facts)


def complete(run: Run, training: Training, talk: Talk) -> Outcome:
    """Train to the end, measure the best weights on every part, and write all of it down.

    Raises:
        DlcliError: Training failed; the run says so.
    """
    examples = seen_once(training.examples, training.learner.network)
    with failures_noted(run, talk):
        return _complete(run, replace(training, examples=examples), talk)


@contextmanager
def failures_noted(run: Run, talk: Talk) -> Iterator[None]:
    """While entered, a failure is written into the run before it goes on its way."""
    try:
        yield
    except (KeyboardInterrupt, InterruptedRunError):
        _note(run, "interrupted")
        raise
    except DlcliError as error:
        if run.is_gone:
            raise MachineError(
                f"the run directory `{relative(run.path)}` is gone: it was deleted or moved while "
                "training",
                suggestion="train anew; or `dlcli train --resume` and the place that it was moved "
                "to",
            ) from error
        _note(run, "failed", error=str(error))
        raise
    except Exception as error:
        with suppress(MachineError):
            talk.note(format_exc())
            error.add_note(f"the traceback is in {relative(run.path / 'train.log')}")
        _note(run, "failed", error=repr(error))
        raise


def _note(run: Run, status: Ending, **fields: JSON) -> None:
    """Write into a run how it ended; unless the disk, which may be what failed, refuses that."""
    with suppress(MachineError):
        run.finish(status, **fields)


def _complete(run: Run, training: Training, talk: Talk) -> Outcome:
    started = monotonic()
    monitor = build_monitor(training.config, training.learner)
    trust = " --trust-code" if any(own_codes(training.config)) else ""
    trainer, learner = training.trainer, training.learner
    saver = Saver(run, trainer, learner, monitor, training.description)
    session = Session(run, trainer, saver, training.config.train, monitor, talk)
    reason, signal_number = session.drive(training.examples)
    history = trainer.state.history
    result: dict[str, Any] = {
        "schema": 1,
        "command": "train",
        "status": "ok" if signal_number is None else "interrupted",
        "run_dir": relative(run.path),
        "checkpoint": relative(run.last),
        "stop_reason": reason,
        "epochs": training.trainer.state.epoch,
        "best_epoch": monitor.best_epoch(history),
        "metrics": dict.fromkeys(PARTS),
        "baseline": None,
        "baselines": [],
    }
    if signal_number is None and not history:
        _warn_of_no_epoch(training, run, talk)
    elif signal_number is None:
        leads = trainer.distribution.rank == 0
        best = _best_weights(run, result["best_epoch"], talk) if leads else {}
        trainer.load_weights(best)
        result |= {"checkpoint": relative(run.best)} | measure(training)
        _warn_of_end(training, reason, talk)
        _warn_of_baselines(training, result, talk)
    result |= {"seconds": round(monotonic() - started, 3), "warnings": talk.warnings}
    run.finish("finished" if signal_number is None else "interrupted", result=result)
    return Outcome(
        result,
        lambda: _show(result, talk, trust),
        0 if signal_number is None else 128 + signal_number,
    )


def _best_weights(run: Run, epoch: int, talk: Talk) -> dict[str, Tensor]:
    """Return the weights of the best epoch, as far as the run has them."""
    if not run.best.exists():  # someone deleted it
        run.keep_as_best()
    best = checkpoint.load(run.best)
    found = best.data["state"]["epoch"]
    if found != epoch:
        talk.warn(
            f"{relative(run.best)} is of epoch {found}, not of the best one that this run knows "
            f"of, {epoch}: a kill or damage took that"
        )
    return weights_of(best)


def measure(training: Training) -> dict[str, Any]:
    """Return the scores of every part, and those of the baselines on the last of them."""
    evaluation, task = training.learner.evaluation, training.learner.task
    examples, distribution = training.examples, training.trainer.distribution
    metrics: dict[str, Scores | None] = {
        part: evaluation.scores(training.learner.network, examples[part], distribution)
        if part in examples
        else None
        for part in PARTS
    }
    part = next(part for part in reversed(PARTS) if part in examples)
    baselines = [
        {"name": name, "part": part, **evaluation.baseline_scores(baseline, examples[part])}
        for name, baseline in task.baselines(examples["train"]).items()
    ]
    return {"metrics": metrics, "baseline": baselines[0], "baselines": baselines}


def warn_of_start(training: Training, talk: Talk) -> None:
    """Say what is wrong with a training before its first step."""
    config, network = training.config, training.learner.network
    train = training.examples["train"]
    rows = min(_PROBE_ROWS, training.learner.evaluation.batch_size)
    probe = train.slice(0, min(rows, len(train)))
    for layer in dead_layers(network, probe):
        talk.warn(
            f"dead start: every ReLU of `{layer}` gives 0 on the first {len(probe)} training rows, "
            f"so no gradient passes it; take another `seed` than {config.seed}, or "
            "`activation: leaky_relu`"
        )
    if warmup := endless_warmup(config.scheduler, training.steps):
        talk.warn(f"{warmup}; give a share of all steps, such as `scheduler.warmup: 0.05`")
    if config.train.early_stopping is not None and "val" not in training.examples:
        talk.warn("no val part: `train.early_stopping` has nothing to go by and never stops")
    if config.train.precision == "tf32" and training.learner.device.type != "cuda":
        talk.warn("`train.precision: tf32` is of CUDA devices and changes nothing here")
    if config.train.precision == "medium":
        error = product_error(training.learner.device)
        if error < FLOAT32_ERROR:
            talk.warn(
                "`train.precision: medium` finds no products of less precision here (they are off "
                f"by {error:.0e} of their length, as in float32): other kernels compute them, "
                "faster or slower"
            )
    if config.train.accumulate > 1 and has_batch_statistics(network):
        talk.warn(
            f"batch norm sees the {config.train.accumulate} parts of a batch one by one "
            "(`train.accumulate`): the result differs from that of whole batches"
        )
    ranks = training.trainer.distribution.world_size
    if config.train.sharded and ranks == 1:
        talk.warn("`train.sharded` shares nothing out: this is one process (see torchrun)")
    if ranks > 1 and has_batch_statistics(network):
        talk.warn(
            f"batch norm in each of the {ranks} processes sees its own rows of a batch alone: the "
            "result differs from that of one process"
        )


def _warn_of_no_epoch(training: Training, run: Run, talk: Talk) -> None:
    talk.warn(
        f"no epoch was completed in {training.config.train.max_time:g} seconds "
        f"(`train.max_time`): {relative(run.last)} is after step {training.trainer.state.step}, "
        "and nothing was measured"
    )


def _warn_of_end(training: Training, reason: str, talk: Talk) -> None:
    if "val" not in training.examples:
        talk.say("no val part: the last epoch counts as the best")
    if reason == "epochs" and is_still_improving(training.trainer.state.history):
        talk.warn(
            "still improving: the loss was falling when training ended after "
            f"{training.config.train.epochs} epochs; raise `train.epochs`, or `optimizer.lr`"
        )


def _warn_of_baselines(training: Training, result: Mapping[str, Any], talk: Talk) -> None:
    name, metric = next(iter(training.learner.evaluation.metrics().items()))
    scores = result["metrics"][result["baseline"]["part"]]
    higher = metric.higher_is_better
    said = worse_than_a_baseline(scores, result["baselines"], name, higher_is_better=higher)
    if said:
        talk.warn(said)


def _show(result: Mapping[str, Any], talk: Talk, trust: str) -> None:
    run, program = result["run_dir"] + trust, Place.of().program
    if result["status"] == "interrupted":
        talk.say(f"interrupted, everything is saved; go on with: {program} train --resume {run}")
        return
    if not result["epochs"]:
        talk.say(f"go on with: {program} train --resume {run} train.max_time=null")
        return
    rows = dict(result["metrics"])
    for baseline in map(dict, result["baselines"]):
        rows[f"{baseline.pop('name')} ({baseline.pop('part')})"] = baseline
    print_scores(rows)
    talk.say(f"best epoch {result['best_epoch']} of {result['epochs']}: {result['checkpoint']}")
    part = next(part for part in reversed(PARTS) if result["metrics"][part] is not None)
    talk.say(f"next: dlcli evaluate {run}" + ("" if part == "test" else f" --split {part}"))
    talk.say(f"      dlcli predict INPUT --checkpoint {run}")
