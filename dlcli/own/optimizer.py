"""An optimizer of the user's, a subclass of torch's; its state as tensors by name.

Building one imports `torch._dynamo`, about a second; the built-in optimizers do without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from inspect import Parameter, signature
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.config.own import OwnOptimizerOptions, keywords
from dlcli.errors import CheckpointError

_PLAIN = "plain"
"""Name of the tensor that holds, as JSON, what of the state is no tensor."""
_GROUP = "group "
"""Begins the names of what a parameter group holds, in the place of a piece of state."""


class OwnOptimizer:
    """See `dlcli.training.protocols.Optimizer`.

    What torch keeps of an optimizer is saved: `state`, and all of the parameter groups that is no
    parameter. Anything else that the user's class remembers is not.

    Args:
        options: What the user's class is given by name.
        parameters: By name; those that are trained are given to it, in order.
        own: The class.

    Attributes:
        lr: The base learning rate, which a schedule multiplies.

    Raises:
        OwnCodeError: It is no torch.optim.Optimizer, or one that computes the loss itself.
    """

    def __init__(
        self, options: OwnOptimizerOptions, parameters: Mapping[str, nn.Parameter], *, own: Any
    ) -> None:
        assert options.code is not None
        self.code = options.code
        self.lr = options.lr
        self._named = {name: value for name, value in parameters.items() if value.requires_grad}
        self._names = {value: name for name, value in self._named.items()}
        self._own = own(list(self._named.values()), **keywords(options))
        if not isinstance(self._own, torch.optim.Optimizer):
            raise self.code.error("is no torch.optim.Optimizer")
        closure = signature(self._own.step).parameters.get("closure")
        if closure is not None and closure.default is Parameter.empty:
            raise self.code.error(
                "needs a `closure` in `step`, which computes the loss again; here it is computed "
                "once a step",
                suggestion="an optimizer whose `step` works without one",
            )

    def step(self, lr: float, skip: Tensor | None = None) -> None:
        """Make one step; where one may be left out, wait for the device to know it."""
        if skip is not None and skip.item():
            return
        for group in self._own.param_groups:
            group["lr"] = lr
        self._own.step()

    def zero_grad(self) -> None:
        """Drop all gradients."""
        self._own.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """Return what the next step depends on, as `STATE/PARAMETER` to tensor; no copies.

        Raises:
            OwnCodeError: It holds what a checkpoint cannot.
        """
        found = {name: value for name, value in self._cells() if isinstance(value, Tensor)}
        plain = {name: value for name, value in self._cells() if name not in found}
        apart = [name for name, value in found.items() if not value.ndim and not value.is_cpu]
        try:
            text = json.dumps({"values": plain, "on_device": apart}, sort_keys=True)
        except (TypeError, ValueError) as error:
            raise self.code.error(f"keeps state that no checkpoint can hold: {error}") from error
        return {**found, _PLAIN: torch.tensor(list(text.encode()), dtype=torch.uint8)}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over copies of a state that `state` returned, from any device.

        Raises:
            CheckpointError: It belongs to another optimizer or another model.
        """
        try:
            plain = json.loads(bytes(state[_PLAIN].tolist()))
            self._own.state.clear()
            for name, value in plain["values"].items():
                self._put(name, value)
            for name, value in state.items():
                if name != _PLAIN:
                    self._put(name, value.clone(), is_apart=name in plain["on_device"])
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise CheckpointError(
                f"the saved optimizer state does not fit `{self.code.label}`: {error!r}"
            ) from error

    def _cells(self) -> Iterator[tuple[str, Any]]:
        """Yield every piece of state by its saved name.

        The learning rate is none: each step is given it.
        """
        for number, group in enumerate(self._own.param_groups):
            for key, value in group.items():
                if key not in ("params", "param_names", "lr"):
                    yield f"{_GROUP}{number}/{key}", value
        for parameter, entries in self._own.state.items():
            if parameter not in self._names or not isinstance(entries, dict):
                raise self.code.error(
                    f"keeps state under `{parameter}`, which is no parameter",
                    suggestion="keep it in `self.state[parameter]` or in a parameter group",
                )
            for key, value in entries.items():
                yield f"{key}/{self._names[parameter]}", value

    def _put(self, name: str, value: Any, *, is_apart: bool = False) -> None:
        """Put one piece of state where it belongs.

        A tensor goes where its parameter is; a number alone stays on the CPU, unless it was not.
        """
        key, _, owner = name.partition("/")
        is_group = key.startswith(_GROUP)
        group = self._own.param_groups[int(key.removeprefix(_GROUP)) if is_group else 0]
        if isinstance(value, Tensor) and (value.ndim or is_apart):
            value = value.to(group["params"][0].device)
        if not is_group:
            self._own.state[self._named[owner]][key] = value
        elif isinstance(group.get(owner), tuple):
            group[owner] = tuple(value)
        else:
            group[owner] = value
