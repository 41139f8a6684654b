"""Names of test cases."""

from __future__ import annotations

from dlcli.config.options import Options


def label(case: object) -> str:
    """Return options as their name and what is not default; `reference` for a function."""
    if isinstance(case, Options):
        given = case.model_dump(exclude_defaults=True, exclude={"name"})
        return "-".join([case.name, *(f"{key}={value}" for key, value in given.items())])
    return "reference" if callable(case) else str(case)
