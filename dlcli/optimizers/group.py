"""Parameters that one functional form updates, with their state; knows no other group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.config.optimizer import OptimizerOptions
from dlcli.errors import CheckpointError
from dlcli.optimizers.functional import fixed_arguments, functional, fused_kernel
from dlcli.optimizers.late import LateEntries
from dlcli.optimizers.slots import SLOTS, Slot, entries_of


class Group:
    """Parameters that one functional form updates, and their state."""

    def __init__(self, options: OptimizerOptions, named: Mapping[str, nn.Parameter]) -> None:
        self.parameters = list(named.values())
        self._names = list(named)
        self._options = options
        self._function = functional(options.name)
        self._arguments, self._is_fused = fixed_arguments(options, self.parameters)
        kernel = fused_kernel(options.name, self.parameters) if self._is_fused else None
        self._plainly = kernel or self._function
        self._slots = SLOTS[options.name]
        self._values = {slot.argument: self._start(slot, self.parameters) for slot in self._slots}
        self._late = LateEntries(
            [self._values[slot.argument] for slot in self._slots if slot.is_late(options)]
        )

    def step(self, lr: float, skip: Tensor | None) -> None:
        """Make one step with this learning rate, unless `skip` (1,) is 1.0 or there is no gradient.

        A step that may be skipped does not wait for an accelerator to say so; only the unfused form
        of adagrad does, which reads its counters.
        """
        chosen = [i for i, p in enumerate(self.parameters) if p.grad is not None]
        if skip is None and not self._late.are_in_doubt:
            self._update(lr, chosen)
            return
        device = self.parameters[0].device
        flag = torch.zeros((), device=device) if skip is None else skip.reshape(())
        firsts = self._first_steps(lr, chosen)
        if self._is_fused:
            self._update(lr, chosen, found_inf=flag)
        else:
            self._update_unless(flag.bool(), lr, chosen)
        if firsts:
            self._late.settle(firsts, self.parameters, None if skip is None else flag.bool())

    def _update(self, lr: float, chosen: list[int], **more: Tensor) -> None:
        if len(chosen) == len(self.parameters):
            self._call(self.parameters, self.parameters, self._values, lr, **more)
            return
        parameters = [self.parameters[i] for i in chosen]
        values = {
            argument: [entries[i] for i in chosen] if entries else []
            for argument, entries in self._values.items()
        }
        self._call(parameters, parameters, values, lr, **more)
        for argument, entries in values.items():  # torch may have made some of them just now
            for i, entry in zip(chosen, entries, strict=False):
                self._values[argument][i] = entry

    def _call(
        self,
        tensors: Sequence[Tensor],
        parameters: Sequence[Tensor],
        values: Mapping[str, list[Tensor | None]],
        lr: float,
        **more: Tensor,
    ) -> None:
        """Update tensors, and values of theirs, by the gradients of parameters."""
        gradients = [parameter.grad for parameter in parameters]
        function = self._function if more else self._plainly
        function(tensors, gradients, **values, **self._arguments, **more, lr=lr)

    def _update_unless(self, is_skipped: Tensor, lr: float, chosen: list[int]) -> None:
        """Make a step and take it back where it is skipped: unfused forms know no such flag."""
        self._count_on_device()
        lists: list[Any] = [self.parameters, *filter(None, self._values.values())]
        tensors = [entries[i] for entries in lists for i in chosen]
        before = [tensor.clone() for tensor in tensors]
        self._update(lr, chosen)
        for tensor, old in zip(tensors, before, strict=True):
            tensor.copy_(torch.where(is_skipped, old, tensor))

    def _count_on_device(self) -> None:
        """Move counters to their parameters, where alone a skipped step can be left uncounted.

        Torch's unfused forms do not wait for counters there if told that they may be captured; that
        arithmetic differs in last bits.
        """
        for slot in self._slots:
            entries = self._values[slot.argument]
            for i, parameter in enumerate(self.parameters if slot.is_scalar else ()):
                entry = entries[i]
                if entry is not None and entry.device != parameter.device:
                    entries[i] = entry.to(parameter.device, non_blocking=True)
                    if self._options.name != "adagrad":
                        self._arguments["capturable"] = True

    def _first_steps(self, lr: float, chosen: list[int]) -> list[tuple[int, Tensor, Tensor]]:
        """Make, on copies, the steps that may be the first of theirs.

        Returns:
            The parameter's number, what it would be, and the entry that torch makes.
        """
        doubtful = self._late.doubtful(chosen, self.parameters)
        if not doubtful:
            return []
        parameters = [self.parameters[i] for i in doubtful]
        copies = [parameter.clone() for parameter in parameters]
        made: list[Tensor | None] = [None] * len(doubtful)
        (argument,) = self._values
        self._call(copies, parameters, {argument: made}, lr)
        return [(i, c, m) for i, c, m in zip(doubtful, copies, made, strict=True) if m is not None]

    def cells(self) -> Iterator[tuple[Slot, str, list[Tensor | None], int]]:
        """Yield where each piece of state stands: its slot and saved name, a list and a place.

        Waits for the device where a step that may have been skipped may have been the first.
        """
        self._late.ask()
        for slot in self._slots:
            values = self._values[slot.argument]
            for i in range(len(values)):
                yield slot, f"{slot.name}/{self._names[i]}", values, i

    def load(self, state: Mapping[str, Tensor]) -> set[str]:
        """Copy what belongs to this group, and return its names."""
        found = set()
        for slot, name, values, i in self.cells():
            own, parameter = values[i], self.parameters[i]
            if name in state:
                own = torch.empty_like(parameter.detach()) if own is None else own
                values[i] = _filled(name, own, state[name])
                found.add(name)
            elif slot.late_if:
                (values[i],) = self._start(slot, [parameter])
            else:
                raise CheckpointError(
                    f"the saved optimizer state does not fit: `{name}` is missing"
                )
        return found

    def _start(self, slot: Slot, parameters: list[nn.Parameter]) -> list[Tensor | None]:
        return entries_of(slot, self._options, parameters, is_fused=self._is_fused)


def _filled(name: str, own: Tensor, value: Tensor) -> Tensor:
    """Copy a saved value into a tensor, and return that."""
    if value.shape != own.shape:
        raise CheckpointError(
            f"the saved optimizer state does not fit: `{name}` has shape {tuple(value.shape)}, "
            f"expected {tuple(own.shape)}"
        )
    return own.copy_(value)
