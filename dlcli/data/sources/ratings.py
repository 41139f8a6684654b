"""Ratings: a table of which two columns of ids and a score are taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlcli.config.data import RatingsOptions
from dlcli.data.sources.roles import column_names
from dlcli.data.sources.source import Sources
from dlcli.data.sources.table import open_table


def open_ratings(options: RatingsOptions, folder: Path) -> Sources:
    """Open the table; ids are categories, however they are written.

    Args:
        options: The `data` section.
        folder: What relative paths start from.

    Raises:
        ConfigError: The config names columns that are not there.
        DataError: A file is missing or damaged, or the files do not agree.
    """
    names = column_names(options, folder, ["user", "item", "target"])
    ids = (options.user, options.item)
    used = {*ids, options.target, options.split.group, options.split.column}
    table = options.model_copy(
        update={
            "drop": [name for name in names if name not in used],
            "types": {**options.types, **dict.fromkeys(ids, "categorical")},
        }
    )
    return replace(open_table(table, folder), inputs=ids, task="regression")
