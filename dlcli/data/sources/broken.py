"""What is said of files that cannot be read; decodes none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from dlcli.data.wording import counted
from dlcli.errors import DataError, Fault

_SHOWN = 10


def say_broken(
    faults: Sequence[str], count: int, what: str, broken: Literal["refuse", "skip"]
) -> str:
    """Return what to say of files that cannot be read and are left out.

    Args:
        faults: One or more, each with its file.
        count: Files in all.
        what: What they should be: pictures, sounds.
        broken: As the config says.

    Raises:
        DataError: They are to be refused.
    """
    found = f"{len(faults):,} of {counted(count, 'file')} cannot be read as {what}"
    shown = "; ".join(faults[:_SHOWN]) + ("; ..." if len(faults) > _SHOWN else "")
    if broken == "skip":
        return f"{found} and are left out: {shown}"
    remedy = "mend or remove them; `broken: skip` leaves them out"
    raise DataError([Fault(found, path=("data",), suggestion=remedy, note=shown)])
