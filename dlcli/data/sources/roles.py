"""The columns of a table that have a role of their own, such as the id of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlcli.config.data import TableOptions
from dlcli.data.sources.dialect import dialect_of
from dlcli.data.sources.files import find_files, nearest
from dlcli.data.sources.reader import open_reader
from dlcli.errors import ConfigError, Fault


def column_names(options: TableOptions, folder: Path, roles: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of the first file, those with a role among them.

    Args:
        options: The `data` section.
        folder: What relative paths start from.
        roles: Options that name a column each, or none.

    Raises:
        ConfigError: An option names a column that is not there; all such faults at once.
    """
    file = find_files(options.path, folder, ("data", "path"))[0]
    names = open_reader(file, dialect_of(options)).names
    given = {role: getattr(options, role) for role in roles}
    faults = [
        Fault(
            f"{file.name} has no column `{name}`",
            ("data", role),
            suggestion=nearest(name, names),
            note=f"its columns: {', '.join(names[:30])}",
        )
        for role, name in given.items()
        if name is not None and name not in names
    ]
    if faults:
        raise ConfigError(faults)
    return names
