"""Gradients of layers in a row, written out: autograd's kernels without the graph between them.

For small layers the graph costs more than the arithmetic. The kernels, and the order in which they
are called, are autograd's own, so that every bit of a gradient is; a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from dlcli.training.protocols import Batch

_ATEN = torch.ops.aten

Slope = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Outputs and targets -> mean loss, scalar, and its gradient by the outputs, in their shape."""


class _Layer(Protocol):
    """One layer, forward and then backward."""

    def forward(self, values: Tensor) -> Tensor:
        """Values (N, F) -> (N, G); remembers what `backward` needs."""
        ...

    def backward(self, gradient: Tensor) -> Tensor:
        """Gradient by the outputs (N, G) -> by the values (N, F)."""
        ...

    def learn(self, gradient: Tensor) -> None:
        """Put down the gradients of its own parameters, from that by the outputs (N, G)."""
        ...


class _Linear:
    """values @ weight.T + bias; the gradients of both have one place, made once."""

    def __init__(self, layer: nn.Linear) -> None:
        self._parameters = (layer.weight, layer.bias)
        self._weight, self._bias = layer.weight.detach(), layer.bias.detach()
        self._weight_t = self._weight.t()
        # Each a tensor of its own: where one begins in memory decides on a product's last bits.
        self._weight_gradient = torch.empty_like(self._weight)
        self._bias_gradient = torch.empty_like(self._bias)

    def forward(self, values: Tensor) -> Tensor:
        self._values = values
        return torch.addmm(self._bias, values, self._weight_t)

    def backward(self, gradient: Tensor) -> Tensor:
        return gradient.mm(self._weight)

    def learn(self, gradient: Tensor) -> None:
        torch.mm(gradient.t(), self._values, out=self._weight_gradient)
        torch.sum(gradient, 0, out=self._bias_gradient)
        weight, bias = self._parameters
        weight.grad, bias.grad = self._weight_gradient, self._bias_gradient


class _Fixed:
    """A layer without parameters."""

    def learn(self, gradient: Tensor) -> None:
        del gradient


class _Dropout(_Fixed):
    """Each value zero with a probability, the others larger: as `torch.dropout` on a CPU."""

    def __init__(self, layer: nn.Dropout) -> None:
        self._kept = 1 - layer.p

    def forward(self, values: Tensor) -> Tensor:
        self._noise = torch.empty_like(values).bernoulli_(self._kept).div_(self._kept)
        return values * self._noise

    def backward(self, gradient: Tensor) -> Tensor:
        return gradient * self._noise


class _Activation(_Fixed):
    """A function of each value, and its slope times a gradient, told by output or input."""

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        slope: Callable[[Tensor, Tensor], Tensor],
        *,
        by_input: bool = False,
    ) -> None:
        self._function, self._slope, self._by_input = function, slope, by_input

    def forward(self, values: Tensor) -> Tensor:
        output = self._function(values)
        self._told = values if self._by_input else output
        return output

    def backward(self, gradient: Tensor) -> Tensor:
        return self._slope(gradient, self._told)


_ACTIVATIONS: dict[type[nn.Module], Callable[[], _Layer]] = {
    nn.ReLU: lambda: _Activation(torch.relu, lambda g, out: _ATEN.threshold_backward(g, out, 0)),
    nn.Tanh: lambda: _Activation(torch.tanh, _ATEN.tanh_backward),
    nn.Sigmoid: lambda: _Activation(torch.sigmoid, _ATEN.sigmoid_backward),
    nn.GELU: lambda: _Activation(nn.functional.gelu, _ATEN.gelu_backward, by_input=True),
    nn.SiLU: lambda: _Activation(nn.functional.silu, _ATEN.silu_backward, by_input=True),
}


def are_written_out(layers: Sequence[nn.Module]) -> bool:
    """Say whether the gradients of these layers are known here, and all are to be trained."""
    known = (nn.Linear, nn.Dropout, nn.Identity, *_ACTIVATIONS)
    return (
        any(isinstance(layer, nn.Linear) for layer in layers)
        and all(type(layer) in known for layer in layers)
        and all(p.requires_grad for layer in layers for p in layer.parameters())
    )


class Layerwise:
    """Forward and backward through a stem and the layers after it.

    Args:
        stem: Inputs by name -> values (N, F); what it trains is left to autograd.
        layers: After it; see `are_written_out`.
        outputs: Shape of one row's outputs, as which the last layer's values are seen.
        slope: Of the loss.
    """

    def __init__(
        self,
        stem: Callable[[dict[str, Tensor]], Tensor],
        layers: Sequence[nn.Module],
        *,
        outputs: tuple[int, ...],
        slope: Slope,
    ) -> None:
        self._stem, self._outputs, self._slope = stem, outputs, slope
        self._layers = list(_written_out(layers))
        self._backwards = self._layers[:0:-1]  # all but the first

    def __call__(self, batch: Batch) -> Tensor:
        """Put a batch's gradient into every parameter's `grad`; return its mean loss."""
        values = self._stem(batch.inputs)
        loss, gradient = self._through(values.detach(), batch.targets)
        if values.requires_grad:
            values.backward(self._layers[0].backward(gradient))  # type: ignore[no-untyped-call]
        return loss

    def _through(self, values: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Go through the layers and back; return the loss, and its gradient by the first's outputs.

        Args:
            values: (N, F), what the stem gives.
            targets: Of these rows.
        """
        outputs = values
        for layer in self._layers:
            outputs = layer.forward(outputs)
        loss, gradient = self._slope(outputs.view(-1, *self._outputs), targets)
        gradient = gradient.view_as(outputs)
        for layer in self._backwards:
            layer.learn(gradient)
            gradient = layer.backward(gradient)
        self._layers[0].learn(gradient)
        return loss, gradient


def _written_out(layers: Sequence[nn.Module]) -> Iterator[_Layer]:
    """Yield what computes each layer that does anything."""
    for layer in layers:
        if isinstance(layer, nn.Linear):
            yield _Linear(layer)
        elif isinstance(layer, nn.Dropout):
            yield _Dropout(layer)
        elif type(layer) in _ACTIVATIONS:
            yield _ACTIVATIONS[type(layer)]()
