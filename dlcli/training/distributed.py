"""How processes share a training, as one object; knows no launcher, no files and no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from inspect import signature
from typing import Any, Protocol, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from dlcli.training.placement import Placement, Whole

T = TypeVar("T")

_SYNCS_BUFFERS = (  # by its older name it warns since torch 2.15
    "forward_sync_buffers"
    if "forward_sync_buffers" in signature(DistributedDataParallel).parameters
    else "broadcast_buffers"
)


class Distribution(Protocol):
    """One process's place among those that train together, its ranks.

    All of them call the same methods in the same order; each call may wait for the slowest rank,
    but for `share` and those that begin something.

    Attributes:
        rank: From 0; rank 0 talks and writes.
        world_size: How many ranks there are.
        placement: What of the model it holds, once that is wrapped.
    """

    rank: int
    world_size: int
    placement: Placement

    def sharded(self) -> Distribution:
        """Return the same ranks as such that share out the model too."""
        ...

    def share(self, rows: int) -> slice:
        """Return which of a batch's rows are this rank's: none where there are too few."""
        ...

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return what to call instead of the model: its backward means gradients over the ranks."""
        ...

    def backward(self, model: nn.Module, *, is_last: bool) -> AbstractContextManager[None]:
        """Return the context of one part's forward and backward; ranks meet at the last part."""
        ...

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of a tensor over all ranks."""
        ...

    def begin_sum(self, value: Tensor) -> Callable[[], Tensor]:
        """Begin a sum that is made while other work goes on; return what waits for it."""
        ...

    def agree(self, *flags: int) -> tuple[int, ...]:
        """Return the largest value of each flag over all ranks, without waiting for a device."""
        ...

    def begin_to_agree(self, *flags: int) -> Callable[[], tuple[int, ...]]:
        """Begin to agree while other work goes on; return what waits for the outcome."""
        ...

    def first(self, value: T) -> T:
        """Return rank 0's value, which is small and plain."""
        ...

    def gather(self, value: T) -> list[T]:
        """Return every rank's value, small and plain, by rank."""
        ...

    def spread(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return rank 0's tensors by name; they are on the CPU, and the other ranks give none."""
        ...

    def align(self, model: nn.Module) -> None:
        """Give every rank's model the parameters and buffers of rank 0's."""
        ...

    def in_turn(self, compute: Callable[[int], Tensor], count: int) -> Iterator[Tensor]:
        """Yield `compute(0)`, ... `compute(count - 1)` on every rank; each computes a share."""
        ...


class SingleProcess:
    """One process alone."""

    rank = 0
    world_size = 1
    placement: Placement = Whole()

    def sharded(self) -> Distribution:
        """Return the process: there is nobody to share with."""
        return self

    def share(self, rows: int) -> slice:
        """Return all rows."""
        return slice(0, rows)

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return the model itself."""
        return model

    def backward(self, model: nn.Module, *, is_last: bool) -> AbstractContextManager[None]:  # noqa: ARG002
        """Return a context that does nothing."""
        return nullcontext()

    def sum(self, value: Tensor) -> Tensor:
        """Return the value as it is."""
        return value

    def begin_sum(self, value: Tensor) -> Callable[[], Tensor]:
        """Return what gives the value."""
        return lambda: value

    def agree(self, *flags: int) -> tuple[int, ...]:
        """Return the flags."""
        return flags

    def begin_to_agree(self, *flags: int) -> Callable[[], tuple[int, ...]]:
        """Return what gives the flags."""
        return lambda: flags

    def first(self, value: T) -> T:
        """Return the value."""
        return value

    def gather(self, value: T) -> list[T]:
        """Return the one value."""
        return [value]

    def spread(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors."""
        return dict(tensors)

    def align(self, model: nn.Module) -> None:
        """Do nothing: there is one model."""

    def in_turn(self, compute: Callable[[int], Tensor], count: int) -> Iterator[Tensor]:
        """Compute everything."""
        return map(compute, range(count))


ALONE = SingleProcess()


class Ranks:
    """Several processes that hold the same model and share the rows of each batch.

    The process group is there already: gloo for tensors on the CPU, NCCL for those on CUDA.

    Args:
        lost: Makes the error where another rank is gone.
    """

    def __init__(self, lost: Callable[[], Exception]) -> None:
        self.rank = dist.get_rank()
        self.world_size = dist.get_world_size()
        self.placement: Placement = Whole()
        self._lost = lost

    def sharded(self) -> Distribution:
        """Return the same ranks as such that share out the model too."""
        from dlcli.training.sharded import ShardedRanks

        return ShardedRanks(self._lost)

    def share(self, rows: int) -> slice:
        """Return a stretch of rows; see `stretch`."""
        return stretch(rows, self.rank, self.world_size)

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return the model in torch's DistributedDataParallel.

        It is told to look for unused parameters for two reasons: there may be some; and otherwise
        it puts gradients together in another order from its second step on, so that with three
        ranks or more a resumed training would differ in last bits.
        """
        options: dict[str, Any] = {} if has_state(model) else {_SYNCS_BUFFERS: False}
        with self._meeting():
            return DistributedDataParallel(
                model, find_unused_parameters=True, gradient_as_bucket_view=True, **options
            )

    @contextmanager
    def backward(self, model: nn.Module, *, is_last: bool) -> Iterator[None]:
        """See `Distribution.backward`; before the last part nothing is sent."""
        waits = nullcontext() if is_last else model.no_sync()  # type: ignore[operator]
        with self._meeting(), waits:
            yield

    def sum(self, value: Tensor) -> Tensor:
        """See `Distribution.sum`."""
        return self.begin_sum(value)()

    def begin_sum(self, value: Tensor) -> Callable[[], Tensor]:
        """See `Distribution.begin_sum`."""
        return self._begin(value.clone(), dist.ReduceOp.SUM)

    def agree(self, *flags: int) -> tuple[int, ...]:
        """See `Distribution.agree`."""
        return self.begin_to_agree(*flags)()

    def begin_to_agree(self, *flags: int) -> Callable[[], tuple[int, ...]]:
        """See `Distribution.begin_to_agree`."""
        largest = self._begin(torch.tensor(flags), dist.ReduceOp.MAX)
        return lambda: tuple(largest().tolist())

    def _begin(self, value: Tensor, operation: dist.ReduceOp.RedOpType) -> Callable[[], Tensor]:
        """Begin to put together every rank's value, in place; return what waits for it."""
        with self._meeting():
            work = dist.all_reduce(value, op=operation, async_op=True)

        def wait() -> Tensor:
            with self._meeting():
                work.wait()
            return value

        return wait

    def first(self, value: T) -> T:
        """See `Distribution.first`."""
        values = [value]
        with self._meeting():
            dist.broadcast_object_list(values, src=0, device=torch.device("cpu"))
        return values[0]

    def gather(self, value: T) -> list[T]:
        """See `Distribution.gather`."""
        values: list[Any] = [None] * self.world_size
        with self._meeting():
            dist.all_gather_object(values, value)
        return values

    def spread(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See `Distribution.spread`; no rank holds more than one tensor twice."""
        plan = self.first([(name, value.shape, value.dtype) for name, value in tensors.items()])
        spread = {}
        for name, shape, dtype in plan:
            value = (
                tensors[name].contiguous() if self.rank == 0 else torch.empty(shape, dtype=dtype)
            )
            with self._meeting():
                dist.broadcast(value, src=0)
            spread[name] = value
        return spread

    def align(self, model: nn.Module) -> None:
        """See `Distribution.align`."""
        with self._meeting():
            for tensor in (*model.parameters(), *model.buffers()):
                dense = tensor.detach().contiguous()
                dist.broadcast(dense, src=0)
                if not tensor.is_contiguous():
                    tensor.detach().copy_(dense)

    def in_turn(self, compute: Callable[[int], Tensor], count: int) -> Iterator[Tensor]:
        """See `Distribution.in_turn`; a rank that has nothing left to do repeats the last."""
        for start in range(0, count, self.world_size):
            own = compute(min(start + self.rank, count - 1)).contiguous()
            shapes = self._shapes(own)
            for rank in range(min(self.world_size, count - start)):
                value = own if rank == self.rank else own.new_empty(shapes[rank])
                with self._meeting():
                    dist.broadcast(value, src=rank)
                yield value

    def _shapes(self, own: Tensor) -> list[list[int]]:
        """Return the shape of every rank's tensor; they have the same number of dimensions."""
        shapes = [torch.empty(own.ndim, dtype=torch.int64) for _ in range(self.world_size)]
        with self._meeting():
            dist.all_gather(shapes, torch.tensor(own.shape))
        return [shape.tolist() for shape in shapes]

    @contextmanager
    def _meeting(self) -> Iterator[None]:
        """Tell the end of another rank from every other error."""
        try:
            yield
        except RuntimeError as error:  # of gloo it is no more than that
            if not (isinstance(error, dist.DistError) or "gloo" in str(error)):
                raise
            raise self._lost() from error


class Poll:
    """Flags over all ranks step after step, at the cost of hearing of the others' a step late.

    Args:
        distribution: Who is asked; of one process the flags are heard of at once.
    """

    def __init__(self, distribution: Distribution) -> None:
        self._distribution = distribution
        self._asked: Callable[[], tuple[int, ...]] | None = None

    def __call__(self, *flags: int, is_late: bool) -> tuple[int, ...]:
        """Return the largest value of each flag over all ranks, the same on every rank.

        Args:
            flags: Of this rank; never below 0.
            is_late: Return those of the call before, none at first, and do not wait for these.
        """
        if self._distribution.world_size == 1:
            return flags
        before = self._asked() if self._asked else (0,) * len(flags)
        asked = self._distribution.begin_to_agree(*flags)
        if is_late:
            self._asked = asked
            return before
        self._asked = None
        return tuple(map(max, before, asked()))


def stretch(rows: int, rank: int, world_size: int) -> slice:
    """Return a rank's stretch of the rows; lengths differ by one at most, and may be 0."""
    return slice(rows * rank // world_size, rows * (rank + 1) // world_size)


def has_state(model: nn.Module) -> bool:
    """Say whether the model has buffers that training may move, as those of batch norm."""
    return not model.state_dict().keys() <= dict(model.named_parameters()).keys()
