"""Which layers read a network's inputs themselves, and not what another layer made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.models.stems import Stem


def readers(network: nn.Module, inputs: Mapping[str, Tensor]) -> set[str]:
    """Return the names of the layers with parameters that what the stem makes goes into.

    What the stem puts out is marked as what needs a gradient, and whatever a layer with parameters
    puts out is no longer: a layer that is given something marked reads the inputs. Nothing is found
    where own code detaches them.

    Args:
        network: Is copied, and stays as it is.
        inputs: Blocks (N, ...) of any rows.
    """
    network = deepcopy(network).eval().requires_grad_(False)
    stems = {name: module for name, module in network.named_modules() if isinstance(module, Stem)}
    has_codes = any(stem.out.form == "ids" for stem in stems.values())
    found: set[str] = set()

    def watch(name: str, module: nn.Module) -> None:
        def note(_module: nn.Module, values: Any, named: Any) -> None:
            given = [*_tensors(values), *_tensors(list(named.values()))]
            if any(t.requires_grad or (has_codes and not t.is_floating_point()) for t in given):
                found.add(name)

        module.register_forward_pre_hook(note, with_kwargs=True)
        module.register_forward_hook(lambda _module, _values, made: _unmarked(made))

    for name, module in network.named_modules():
        if name in stems:
            module.register_forward_hook(lambda _module, _values, made: _marked(made))
        elif any(True for _ in module.parameters(recurse=False)) and not _is_within(name, stems):
            watch(name, module)
    with torch.enable_grad():
        network(dict(_marked(dict(inputs))))
    return found


def _is_within(name: str, stems: Mapping[str, nn.Module]) -> bool:
    return any(name.startswith(f"{stem}.") for stem in stems)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _tensors(one)


def _marked(value: Any) -> Any:
    """Return the same values, those of floating point marked."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.detach().requires_grad_()
    return _each(_marked, value)


def _unmarked(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else _each(_unmarked, value)


def _each(change: Any, value: Any) -> Any:
    """Return a collection with each of its values changed; anything else as it is."""
    if isinstance(value, dict):
        return {key: change(one) for key, one in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_make"):
        return value._make(map(change, value))
    return type(value)(map(change, value)) if isinstance(value, tuple | list) else value
