"""Every command's arguments and help texts; each body reads the config, then calls one command."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcli.errors import UsageError

if TYPE_CHECKING:
    from dlcli.config.read import ReadConfig

_tree = typer.Typer(
    help="Train, evaluate and use PyTorch models from one YAML file.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,  # halves the time of --help
    pretty_exceptions_enable=False,
)
_config = typer.Typer(
    help="Show a config with every default, its schema, or two side by side.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
_tree.add_typer(_config, name="config")
_cache = typer.Typer(
    help="Show or remove what is kept of prepared data.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
_tree.add_typer(_cache, name="cache")

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Change the config: optimizer.lr=1e-2"),
]
RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Folder of the run directories.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No talk on stderr.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="More talk on stderr.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
TrustCode = Annotated[
    bool, typer.Option("--trust-code", help="Run own code that the config or checkpoint names.")
]
CheckpointOption = Annotated[
    str, typer.Option("--checkpoint", help="File, run directory, run name or `latest`.")
]


def run(words: Sequence[str]) -> int:
    """Run a command line and return its exit code.

    Typer's own `main` is not used: it ends the process on Ctrl-C and on a closed pipe.

    Args:
        words: What stands after the program's name.

    Raises:
        TyperException: The command line is wrong.
        DlcliError: The command failed.
    """
    command = typer.main.get_command(_tree)
    try:
        with command.make_context("dlcli", list(words)) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as leaving:
        return leaving.exit_code


@_tree.callback()
def top_options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Answer the options that stand before a command."""
    if version:
        from dlcli import __version__

        _print(f"dlcli {__version__}")
        raise typer.Exit
    _help_where_alone(context)


@_config.callback()
def config_options(context: typer.Context) -> None:
    """Answer `dlcli config` without a command."""
    _help_where_alone(context)


@_cache.callback()
def cache_options(context: typer.Context) -> None:
    """Answer `dlcli cache` without a command."""
    _help_where_alone(context)


def _help_where_alone(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        sys.stderr.write(context.get_help() + "\n")
        raise typer.Exit(2)


@_tree.command()
def train(
    config: Annotated[
        str | None, typer.Argument(metavar="CONFIG", help="The YAML file.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with an interrupted run.")
    ] = None,
    override: Annotated[
        bool,
        typer.Option("--override", help="With --resume: go on though config or data changed."),
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    runs_dir: RunsDir = Path("runs"),
    device: Device = None,
    seed: Annotated[int | None, typer.Option(help="The training seed.")] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Train with so many seeds, or on so many folds.")
    ] = None,
    max_time: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Stop after so many seconds.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check config, data and model, then stop.")
    ] = False,
    overfit_batches: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Train on the first N batches alone, to try out."),
    ] = None,
    deterministic: Annotated[
        bool,
        typer.Option("--deterministic", help="Refuse operations that differ from run to run."),
    ] = False,
    trust_code: TrustCode = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,  # noqa: ARG001 - read in __main__
) -> int:
    """Train a model from a config; writes a run directory with checkpoints and metrics."""
    changes = [
        f"{key}={value}"
        for key, value in {
            "name": name,
            "seed": seed,
            "train.device": device,
            "train.max_time": max_time,
            "train.deterministic": "true" if deterministic else None,
        }.items()
        if value is not None
    ]
    if resume is not None:
        if seeds is not None:
            raise UsageError("--resume goes on with one run, --seeds makes new ones")
        if dry_run or overfit_batches is not None:
            option = "--dry-run" if dry_run else "--overfit-batches"
            raise UsageError(f"--resume goes on with a run as it began, without {option}")
        if config is not None and "=" not in config:
            raise UsageError(
                f"`{config}` beside --resume: a run goes on with its own config",
                suggestion="leave it out; what can change is given as KEY=VALUE",
            )
        words = [*([config] if config else []), *(overrides or []), *changes]
        from dlcli.commands.resume import resume_run
        from dlcli.memory import begin_work

        begin_work()
        outcome = resume_run(
            resume,
            _only_overrides(words),
            runs_dir=runs_dir,
            may_change=override,
            trust_code=trust_code,
            is_quiet=quiet,
            is_verbose=verbose,
        )
    else:
        if override:
            raise UsageError(
                "--override goes with --resume", suggestion="KEY=VALUE changes a new training"
            )
        if config is None:
            raise UsageError(
                "train takes a config file", suggestion="dlcli train config.yaml, or --resume RUN"
            )
        if dry_run and (seeds is not None or overfit_batches is not None):
            option = "--overfit-batches" if seeds is None else "--seeds"
            raise UsageError(f"--dry-run checks one whole training, without {option}")
        read = _read(config, [*(overrides or []), *changes], trust_code=trust_code)
        if dry_run:
            from dlcli.commands.check import check_config
            from dlcli.memory import begin_work

            begin_work()
            with located(read):
                outcome = check_config(read, command="train", is_quiet=quiet)
            return _deliver(outcome, as_json=as_json)
        from dlcli.commands.train import train_config
        from dlcli.memory import begin_work

        begin_work()
        with located(read):
            outcome = train_config(
                read,
                runs_dir=runs_dir,
                seeds=seeds,
                overfit_batches=overfit_batches,
                is_quiet=quiet,
                is_verbose=verbose,
            )
    return _deliver(outcome, as_json=as_json)


@_tree.command()
def check(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="The YAML file.")],
    overrides: Overrides = None,
    device: Device = None,
    trust_code: TrustCode = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001 - read in __main__
) -> int:
    """Look for what is wrong with config, data and model before a training is paid for."""
    changes = [f"train.device={device}"] if device is not None else []
    read = _read(config, [*(overrides or []), *changes], trust_code=trust_code)
    from dlcli.commands.check import check_config
    from dlcli.memory import begin_work

    begin_work()
    with located(read):
        outcome = check_config(read, is_quiet=quiet)
    return _deliver(outcome, as_json=as_json)


@_tree.command(name="lr-find")
def lr_find(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="The YAML file.")],
    overrides: Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save a picture of the curve: .png, .svg or .pdf."),
    ] = None,
    device: Device = None,
    trust_code: TrustCode = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001 - read in __main__
) -> int:
    """Try learning rates from 1e-7 to 10 on a copy, and suggest one."""
    changes = [f"train.device={device}"] if device is not None else []
    read = _read(config, [*(overrides or []), *changes], trust_code=trust_code)
    from dlcli.commands.lr_find import find_lr
    from dlcli.memory import begin_work

    begin_work()
    with located(read):
        outcome = find_lr(read, output=output, is_quiet=quiet)
    return _deliver(outcome, as_json=as_json)


@_tree.command()
def evaluate(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="File, run directory, run name or `latest`.")
    ],
    data: Annotated[
        str | None, typer.Option(metavar="PATH", help="Another labelled file than the run's.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Which part: train, val or test (default).")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; the run unless given.")
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    device: Device = None,
    trust_code: TrustCode = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001 - read in __main__
) -> int:
    """Measure a trained model: metrics with 95 % intervals, each class, confusion matrix."""
    from dlcli.commands.evaluate import evaluate_checkpoint
    from dlcli.memory import begin_work

    begin_work()
    outcome = evaluate_checkpoint(
        checkpoint,
        data=data,
        split=split,
        output=output,
        runs_dir=runs_dir,
        device=device or "auto",
        trust_code=trust_code,
        is_quiet=quiet,
    )
    return _deliver(outcome, as_json=as_json)


@_tree.command(context_settings={"ignore_unknown_options": True})  # so that -3.0 is a number
def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="What the data was: files, folders, texts, a JSON record, numbers, - for stdin.",
        ),
    ],
    checkpoint: CheckpointOption = "latest",
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there instead of stdout.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing output.")] = False,
    output_format: Annotated[
        str | None, typer.Option("--format", help="csv, jsonl, json or table.")
    ] = None,
    probs: Annotated[bool, typer.Option("--probs", help="Every class's probability.")] = False,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="The K likeliest classes with probabilities.")
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Leave less certain predictions empty.")
    ] = None,
    skip_errors: Annotated[
        bool, typer.Option("--skip-errors", help="Leave out and count what cannot be read.")
    ] = False,
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Of a series: rows to forecast.")
    ] = None,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Of a series: rolling forecasts of what is known.")
    ] = False,
    length: Annotated[
        int | None, typer.Option(min=1, help="Of a language model: tokens to write.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, help="Likewise: 0 takes the likeliest, 1 as trained.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Likewise: draws the tokens.")] = None,
    runs_dir: RunsDir = Path("runs"),
    device: Device = None,
    trust_code: TrustCode = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001 - read in __main__
) -> int:
    """Predict with a trained model; the target column is not needed."""
    if as_json and output_format not in {None, "json"}:
        raise UsageError(f"--json and --format {output_format} cannot both hold")
    from dlcli.commands.predict import predict_inputs
    from dlcli.commands.wishes import Wishes
    from dlcli.memory import begin_work

    begin_work()
    predict_inputs(
        inputs,
        checkpoint=checkpoint,
        wishes=Wishes(
            probs,
            top_k,
            min_confidence,
            is_skipping=skip_errors,
            horizon=horizon,
            is_backtest=backtest,
            length=length,
            temperature=temperature,
            seed=seed,
        ),
        output=output,
        is_forced=force,
        output_format="json" if as_json else output_format,
        runs_dir=runs_dir,
        device=device or "auto",
        trust_code=trust_code,
        is_quiet=quiet,
    )
    return 0


@_tree.command()
def summary(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="The YAML file.")],
    overrides: Overrides = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the network: .png, .svg, .pdf.")
    ] = None,
    trust_code: TrustCode = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing output.")] = False,
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read in __main__
) -> int:
    """Show a config's network: layers, shapes, parameters, multiply-adds, memory."""
    read = _read(config, overrides or [], trust_code=trust_code)
    from dlcli.commands.summary import summarise

    with located(read):
        outcome = summarise(read, output=output, is_forced=force)
    return _deliver(outcome, as_json=as_json)


@_tree.command(name="init")
def init_command(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="CSV, TSV, JSON lines or Parquet file.")
    ],
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What to predict; guessed unless given.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write; named after the data.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    debug: Debug = False,  # noqa: ARG001 - read in __main__
) -> None:
    """Write a commented config for a table, ready to train."""
    from dlcli.commands.init import init

    written = init(data, target, output=output, force=force)
    _print(f"written: {written}")
    sys.stderr.write(f"next: dlcli train {written}\n")


@_tree.command(name="list")
def list_command(
    family: Annotated[
        str | None,
        typer.Argument(
            metavar="FAMILY", help="data, models, losses, optimizers, schedulers, metrics, train."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One member: all its options.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List what a config can name, and every option of it."""
    from dlcli.commands.list import listing, listing_data

    _print(json.dumps(listing_data(family, name)) if as_json else listing(family, name))


@_config.command(name="show")
def config_show(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file.")],
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Show every option of a config, defaults filled in, and where each came from."""
    from dlcli.commands.config import show, show_data

    words = _only_overrides(overrides or [])
    _print(json.dumps(show_data(config, words)) if as_json else show(config, words))


@_config.command(name="schema")
def config_schema() -> None:
    """Print the JSON schema of a config, for editors."""
    from dlcli.commands.config import schema

    _print(schema())


@_config.command(name="diff")
def config_diff(
    left: Annotated[Path, typer.Argument(metavar="A", help="A YAML file.")],
    right: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    as_json: Json = False,
) -> None:
    """Show the options in which two configs differ, side by side."""
    from dlcli.commands.config import diff, diff_data

    if as_json:
        _print(json.dumps(diff_data(left, right)))
    else:
        _print(diff(left, right) or "no difference")


@_cache.command(name="ls")
def cache_ls(as_json: Json = False) -> None:
    """List what the cache holds: what it is, rows, size and last use."""
    from dlcli.commands.cache import listing, listing_data

    _print(json.dumps(listing_data()) if as_json else listing())


@_cache.command(name="clear")
def cache_clear(
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY]...", help="The beginning of a key; all unless given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Remove what the cache holds; what is in use stays."""
    from dlcli.commands.cache import clear

    cleared = clear(keys or [])
    _print(json.dumps(cleared.data) if as_json else cleared.text)


class located:  # noqa: N801 - reads as a statement
    """A context in which faults about config keys get their file, line and column."""

    def __init__(self, read: ReadConfig) -> None:
        self.read = read

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        from dlcli.errors import DlcliError

        if isinstance(error, DlcliError):
            raise self.read.locate(error) from error


def _read(config: str, overrides: list[str], *, trust_code: bool) -> ReadConfig:
    from dlcli.config.read import read_config

    return read_config(Path(config), _only_overrides(overrides), trust_code=trust_code)


def _only_overrides(words: list[str]) -> list[str]:
    for word in words:
        if "=" not in word:
            raise UsageError(
                f"`{word}` is no KEY=VALUE", suggestion="overrides look like optimizer.lr=1e-2"
            )
    return words


def _deliver(outcome: Any, *, as_json: bool) -> int:
    if as_json:
        _print(json.dumps(outcome.data, allow_nan=False))
    else:
        outcome.show()
    return int(outcome.exit_code)


def _print(text: str) -> None:
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
