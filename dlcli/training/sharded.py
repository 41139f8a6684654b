"""Ranks that share out weights, gradients and optimizer state, for models one device cannot hold.

By torch's `fully_shard` (FSDP2). The optimizer sees plain tensors, each rank's stretch of the rows
of a weight, so it must move every value by itself alone; a checkpoint has whole tensors under the
names that one process gives them.

https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, Shard

from dlcli.errors import ConfigError
from dlcli.training.distributed import Ranks, has_state


class ShardedRanks(Ranks):
    """Several processes that share the rows of each batch, and the model."""

    def wrap(self, model: nn.Module) -> nn.Module:
        """Share out the model, in place: each layer of a stack by itself, then what is left.

        Raises:
            ConfigError: The model has layers or parameters that `fully_shard` does not know.
        """
        _check(model)
        model.to(memory_format=torch.contiguous_format)  # no other can be shared out
        self._has_state = has_state(model)
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module")  # returned a view
        with self._meeting():
            mesh = init_device_mesh(next(model.parameters()).device.type, (self.world_size,))
            for part in (*_layers(model), model):  # after each forward pass: weights may be lent
                fully_shard(part, mesh=mesh, reshard_after_forward=True)
            for module in model.modules():  # or evaluation would make memory no training can use
                if isinstance(module, FSDPModule):
                    module.unshard()
                    module.reshard()
        self.placement = Shards(model, self)
        return model

    @contextmanager
    def backward(self, model: nn.Module, *, is_last: bool) -> Iterator[None]:
        """See `Distribution.backward`; before the last part no gradient is sent."""
        if self._has_state:
            self.align(model)
        model.set_requires_gradient_sync(is_last)  # type: ignore[operator]
        with self._meeting():
            yield
        if is_last:
            assert isinstance(self.placement, Shards)
            self.placement.take_gradients()

    def align(self, model: nn.Module) -> None:
        """Give every rank's model the buffers of rank 0's; the parameters are shared."""
        with self._meeting():
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)


class Shards:
    """This rank's stretch of every parameter's rows.

    Args:
        model: As `fully_shard` left it.
        ranks: Who has the others.
    """

    def __init__(self, model: nn.Module, ranks: Ranks) -> None:
        self._ranks = ranks
        self._shared: dict[str, DTensor] = {
            name: p for name, p in model.named_parameters() if isinstance(p, DTensor)
        }
        self._own = {
            name: nn.Parameter(parameter.to_local().detach(), parameter.requires_grad)
            for name, parameter in self._shared.items()
        }

    def parameters(self, model: nn.Module) -> dict[str, nn.Parameter]:  # noqa: ARG002
        """Return the stretches; moving them moves the model."""
        return self._own

    def take_gradients(self) -> None:
        """Move the gradients that backward left at the model to the stretches."""
        for name, parameter in self._shared.items():
            gradient, parameter.grad = parameter.grad, None
            if gradient is not None:
                assert isinstance(gradient, DTensor)
                self._own[name].grad = gradient.to_local()

    def any(self, flag: Tensor) -> Tensor:
        """See `Placement.any`."""
        return self._ranks.sum(flag).clamp(max=1)

    def norm(self, gradients: Sequence[Tensor]) -> Tensor:
        """See `Placement.norm`."""
        return self._ranks.sum(torch.nn.utils.get_total_norm(gradients).square()).sqrt()

    def whole(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See `Placement.whole`; one tensor at a time is put together, and kept by the host."""
        whole = {}
        for name, tensor in tensors.items():
            full = (
                self._shared_as(name, tensor).full_tensor()
                if self._is_own(name, tensor)
                else tensor
            )
            if self._ranks.rank == 0:
                whole[name] = full.cpu()
        return whole

    def own(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See `Placement.own`."""
        return {name: self._stretch(name, tensor) for name, tensor in tensors.items()}

    def load(self, model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
        """See `Placement.load`."""
        for name, value in model.state_dict().items():
            held = value.to_local() if isinstance(value, DTensor) else value
            held.copy_(self._stretch(name, tensors[name]))

    def _is_own(self, name: str, tensor: Tensor) -> bool:
        """Say whether a tensor of a state is a stretch, and not a counter, say."""
        own = self._own.get(_parameter_of(name))
        return isinstance(tensor, DTensor) or (own is not None and own.shape == tensor.shape)

    def _shared_as(self, name: str, tensor: Tensor) -> DTensor:
        if isinstance(tensor, DTensor):
            return tensor
        like = self._shared[_parameter_of(name)]
        return DTensor.from_local(
            tensor, like.device_mesh, [Shard(0)], shape=like.shape, stride=like.stride()
        )

    def _stretch(self, name: str, tensor: Tensor) -> Tensor:
        """Return this rank's rows of a whole tensor that is as a parameter is."""
        like = self._shared.get(_parameter_of(name))
        if like is None or like.shape != tensor.shape:
            return tensor
        stretches = tensor.chunk(self._ranks.world_size)
        return stretches[self._ranks.rank] if self._ranks.rank < len(stretches) else tensor[:0]


def _check(model: nn.Module) -> None:
    """Refuse what `fully_shard` does not know; recurrent layers would go on with whole weights."""
    what = ""
    if any(isinstance(module, nn.RNNBase) for module in model.modules()):
        what = "recurrent layers of torch"
    elif scalars := [name for name, value in model.named_parameters() if not value.ndim]:
        what = f"parameters that are one number, as `{scalars[0]}`,"
    if what:
        raise ConfigError(
            f"{what} cannot be shared out",
            path=("train", "sharded"),
            suggestion="leave `sharded` out",
        )


def _parameter_of(name: str) -> str:
    """Return the parameter in the name of a piece of its state."""
    return name.rpartition("/")[2]


def _layers(model: nn.Module) -> list[nn.Module]:
    """Return the members of the outermost stacks that have parameters."""
    found = []
    for child in model.children():
        if isinstance(child, nn.ModuleList | nn.Sequential):
            found += [layer for layer in child if any(True for _ in layer.parameters())]
        else:
            found += _layers(child)
    return found
