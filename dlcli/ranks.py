"""Joins the processes that a launcher started into one training; knows no model and no run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from dlcli import errors
from dlcli.errors import (
    ConfigError,
    DataError,
    DlcliError,
    Fault,
    InterruptedRunError,
    LostRankError,
    MachineError,
    ToldError,
)
from dlcli.launch import Place
from dlcli.messages import as_json
from dlcli.training.distributed import Distribution, Ranks, SingleProcess

_SILENCE = timedelta(minutes=10)
"""A rank that another waits for so long is taken for lost; one that dies is missed at once."""
_LEAVING = timedelta(seconds=30)
_NOTE = "dlcli/failure"
_LEFT = "dlcli/left"


@contextmanager
def joined() -> Iterator[Distribution]:
    """While entered, the processes of a launch, one of which this is, work together.

    What fails on another rank is told by rank 0, which finds a note of it in the launcher's store.

    Raises:
        LostRankError: On rank 0: another rank died.
        DlcliError: On rank 0: another rank failed so.
        ToldError: On the others: rank 0 tells of it.
    """
    place = Place.of()
    if place.is_alone:
        yield SingleProcess()
        return
    store = _meet(place)
    try:
        yield Ranks(lambda: _loss(store))
    except Exception as error:
        if place.talks:
            if isinstance(error, InterruptedRunError) and (cause := _found(store)):
                raise cause from error  # torchrun ended this rank because of the other
            raise
        _leave_note(store, place, error)
        if isinstance(error, DlcliError):
            told = ToldError(error.faults)
            told.code = error.code
            raise told from error
        raise
    _part(store, place)


def _meet(place: Place) -> Store:
    """Form the process group; return the store through which its members found each other."""
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        store, rank, world_size = next(rendezvous("env://", timeout=_SILENCE))
        dist.init_process_group(
            backend, store=store, rank=rank, world_size=world_size, timeout=_SILENCE
        )
    except (RuntimeError, ValueError) as error:
        raise MachineError(
            f"rank {place.rank} did not find the other {place.world_size - 1}: "
            + str(error).partition("\n")[0],
            suggestion="start all of them by one torchrun command, the same on each machine",
        ) from error
    return PrefixStore("dlcli", store)


def _part(store: Store, place: Place) -> None:
    """End the work in order: rank 0, on whose connections the others may wait, leaves last."""
    if place.talks:
        with suppress(RuntimeError):  # all is done: who is missing now is missed no longer
            store.wait([f"{_LEFT}/{rank}" for rank in range(1, place.world_size)], _LEAVING)
    else:
        store.set(f"{_LEFT}/{place.rank}", "")
    dist.destroy_process_group()


def _leave_note(store: Store, place: Place, error: Exception) -> None:
    """Leave word of a failure that began here; the first of several stays."""
    if isinstance(error, LostRankError | InterruptedRunError):
        return
    failure = error if isinstance(error, DlcliError) else DlcliError(_words(error))
    note = json.dumps({"rank": place.rank, "failure": json.loads(as_json(failure))})
    with suppress(RuntimeError):  # rank 0 is gone, and where no torchrun is the store with it
        store.compare_set(_NOTE, "", note)


def _words(error: Exception) -> str:
    return errors.out_of_memory().args[0] if errors.is_out_of_memory(error) else f"{error!r}"


def _loss(store: Store) -> DlcliError:
    """Return why another rank is gone."""
    return _found(store) or LostRankError(
        "another process of this training died: it was killed, or its machine is gone",
        suggestion="`dlcli train --resume RUN`, again under torchrun, goes on",
    )


def _found(store: Store) -> DlcliError | None:
    """Return the failure of another rank as its note tells it, None without one."""
    try:
        text = store.get(_NOTE) if store.check([_NOTE]) else b""
    except RuntimeError:
        return None
    if not text:
        return None
    note = json.loads(text)
    failure = note["failure"]
    kinds = {kind.code: kind for kind in _kinds(DlcliError)}
    return kinds[failure["code"]](
        [
            Fault(
                f"on rank {note['rank']}: {found['message']}",
                path=tuple((found["path"] or "").split(".")) if found["path"] else (),
                suggestion=found["suggestion"] or "",
            )
            for found in failure["errors"]
        ]
    )


def _kinds(kind: type[DlcliError]) -> Iterator[type[DlcliError]]:
    """Yield the plain kinds of errors, those of a more special cause first."""
    for special in kind.__subclasses__():
        if special not in {InterruptedRunError, ToldError}:
            yield from _kinds(special)
    yield kind


@contextmanager
def in_turns(distribution: Distribution) -> Iterator[None]:
    """Let rank 0 go through the block first, then one rank of each other machine, then the rest.

    So that only one fetches a file, and on each machine only one.
    """
    place = Place() if distribution.world_size == 1 else Place.of()
    own = 0 if place.rank == 0 else 1 if place.local_rank == 0 else 2
    for turn in range(3):
        if turn == own:
            yield
        distribution.agree(0)


def own_device(name: str, distribution: Distribution) -> str:
    """Return the name of this rank's device: on CUDA each takes its own.

    Args:
        name: As in the config.
        distribution: The ranks; one alone may take any device.

    Raises:
        ConfigError: The config names one device for all.
        MachineError: There are more ranks than devices, or other devices on other machines.
    """
    if distribution.world_size == 1:
        return name
    place, devices = Place.of(), torch.cuda.device_count()
    if name.startswith("cuda:"):
        raise ConfigError(
            f"`{name}` is one device, and torchrun started {place.local_size} processes here",
            path=("train", "device"),
            suggestion="`device: cuda` gives each its own",
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if len(set(distribution.gather(name))) > 1:
        raise MachineError(
            "some machines of this training have CUDA and some have not",
            suggestion="`device: cpu`, or other machines",
        )
    if name != "cuda":
        return name
    if place.local_size > devices:
        raise MachineError(
            f"torchrun started {place.local_size} processes here, and there "
            + (f"are {devices} CUDA devices" if devices != 1 else "is 1 CUDA device"),
            suggestion=(f"--nproc-per-node {devices}, or " if devices else "") + "`device: cpu`",
        )
    torch.cuda.set_device(place.local_rank)  # of which NCCL takes its own
    return f"cuda:{place.local_rank}"


def check_rows(rows: int, batch_size: int, distribution: Distribution) -> None:
    """Refuse work that leaves ranks idle.

    Args:
        rows: Of the training part.
        batch_size: Rows of a step, over all ranks.
        distribution: The ranks.

    Raises:
        DataError: There are fewer rows than ranks.
        ConfigError: A batch has fewer rows than there are ranks.
    """
    ranks = distribution.world_size
    if rows < ranks:
        raise DataError(
            f"the training part has {rows} rows for {ranks} processes",
            suggestion=f"--nproc-per-node {rows} or fewer",
        )
    if batch_size < ranks:
        raise ConfigError(
            f"`data.batch_size` {batch_size} is shared by {ranks} processes: not a row for each",
            path=("data", "batch_size"),
            suggestion=f"{ranks} or more",
        )


def check_alike(distribution: Distribution, **texts: str) -> None:
    """Refuse to train on what differs from one rank to another, each on its own machine maybe.

    Raises:
        ConfigError: One of the texts differs.
    """
    for name, text in texts.items():
        if len(set(distribution.gather(text))) > 1:
            raise ConfigError(
                f"the {name} of the {distribution.world_size} processes differ: each reads its own "
                "copy",
                suggestion="the same files on every machine",
            )
