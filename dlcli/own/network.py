"""A network of the user's behind a stem, in the place of body and head."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy

from dlcli.config.code import Code
from dlcli.config.own import OwnModelOptions, keywords
from dlcli.data.spec import KNOWN
from dlcli.models.pooling import step_mask
from dlcli.models.stems import Stem


class OwnNetwork(nn.Module):
    """A stem, then a module that the user wrote.

    Args:
        stem: Makes one tensor of a batch's inputs.
        net: Takes that tensor; and `lengths` and `known` if its `forward` has parameters so called.
        outputs: Shape of one row's outputs; of one step's, where every step is told.
        is_stream: Whether every step is told.
        code: What `net` was made from, for messages.
    """

    def __init__(
        self, stem: Stem, net: nn.Module, *, outputs: tuple[int, ...], is_stream: bool, code: Code
    ) -> None:
        super().__init__()
        self.stem = stem
        self.net = net
        self._steps = stem.out.sizes[0] if stem.out.varies else 0
        self._outputs, self._is_stream, self._code = outputs, is_stream, code
        taken = inspect.signature(net.forward).parameters
        self._takes = tuple(name for name in ("lengths", "known") if name in taken)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Input blocks (N, ...) by name -> outputs (N, *outputs), of running text (N, T, V)."""
        values, lengths = self.stem(inputs)
        given: dict[str, Any] = {"lengths": lengths, "known": inputs.get(KNOWN)}
        if lengths is not None and "lengths" not in self._takes:
            # As long in every batch, or an answer would depend on its batch mates.
            values = values * step_mask(lengths, values.shape[1])
            values = F.pad(values, (0, 0, 0, self._steps - values.shape[1]))
        outputs = self.net(values, **{name: given[name] for name in self._takes})
        steps = values.shape[1:2] if self._is_stream else ()
        return self._shaped(outputs, (len(values), *steps, *self._outputs))

    def _shaped(self, outputs: Any, shape: tuple[int, ...]) -> Tensor:
        """Return outputs in their shape; each row's may come flat.

        Raises:
            OwnCodeError: They are not as many, or no numbers.
        """
        if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
            found = outputs.dtype if isinstance(outputs, Tensor) else type(outputs).__name__
            raise self._code.error(f"gives {found}, expected a tensor of floating point numbers")
        count = len(shape) - len(self._outputs)
        flat = (*shape[:count], torch.Size(self._outputs).numel())
        if tuple(outputs.shape) not in (shape, flat):
            raise self._code.error(
                f"gives outputs of shape {_shown(outputs.shape)}, expected {_shown(shape)}",
                suggestion=f"`outputs` is {_shown(self._outputs)}, and forward gives (N, *outputs)",
            )
        return outputs.reshape(shape)


def build_own_network(
    options: OwnModelOptions,
    stem: Stem,
    *,
    outputs: tuple[int, ...],
    known: tuple[int, ...],
    is_stream: bool,
    own: Any,
) -> OwnNetwork:
    """Build a network of the user's behind a stem.

    Args:
        options: What it is given by name.
        stem: Built before it, so that a seed draws the weights of layers written out by hand.
        outputs: Shape of one row's outputs; of one step's, where every step is told.
        known: Shape (H, F) of what is known ahead of time; () where nothing is.
        is_stream: Whether every step is told.
        own: The class.

    Raises:
        OwnCodeError: It is no module that can be trained and saved.
    """
    code = options.code
    assert code is not None
    ahead = {"known": known} if "known" in code.given else {}
    net = own(inputs=stem.out.sizes, outputs=outputs, **ahead, **keywords(options))
    if not isinstance(net, nn.Module):
        raise code.error("is no torch.nn.Module")
    network = OwnNetwork(stem, net, outputs=outputs, is_stream=is_stream, code=code)
    _check(network, code)
    return network


def _check(network: nn.Module, code: Code) -> None:
    parameters = list(network.parameters())
    if any(is_lazy(parameter) for parameter in parameters):
        raise code.error(
            "has lazy layers, whose sizes only a first batch tells",
            suggestion="take the sizes from `inputs`",
        )
    if not any(parameter.requires_grad for parameter in parameters):
        raise code.error("has no parameters: there is nothing to train")
    plain = [n for n, value in network.state_dict().items() if not isinstance(value, Tensor)]
    if plain:
        raise code.error(f"keeps `{plain[0]}`, which is no tensor, in its state")


def _shown(shape: Sequence[int]) -> str:
    return str(tuple(shape))
