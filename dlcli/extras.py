"""Packages that only some configs need; knows none of them by name."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dlcli.errors import ExtraError


def import_extra(module: str, *, extra: str, purpose: str) -> Any:
    """Return a module of an optional extra.

    Args:
        module: Its name.
        extra: The extra that brings it.
        purpose: What needs it, as a message begins: "a `tokenizers` file".

    Raises:
        ExtraError: It is not installed, or a library below it is missing.
    """
    try:
        return import_module(module)
    except (ImportError, OSError) as error:
        raise ExtraError(
            f"{purpose} needs the package `{module}`: {error}",
            suggestion=f"pip install 'dlcli[{extra}]'; in a clone: pip install -e '.[{extra}]'",
        ) from error
