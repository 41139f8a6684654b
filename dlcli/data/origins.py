"""Which files data came from, each by a short hash: kept, compared and told; reads none."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

_MOST = 1000
_SHOWN = 3


def condensed(files: Mapping[str, str], most: int = _MOST) -> dict[str, str]:
    """Return the hash of each file; of more than `most` files that of each folder.

    Args:
        files: A hash by path.
        most: Likewise of folders: where they are too many, those that they are in stand for them.
    """
    found = dict(files)
    while len(found) > most:
        found = _by_folder(found)
    return found


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return in words which files differ; nothing where none does.

    Args:
        before: What `condensed` returned.
        after: A hash of every file, by path.
    """
    after = dict(after)
    if any(name.endswith("/") for name in before):
        while len(after) > 1 and not before.keys() & after.keys():
            after = _by_folder(after)
    changed = [name for name in before if name in after and before[name] != after[name]]
    gone = [name for name in before if name not in after]
    new = [name for name in after if name not in before]
    said = [
        f"{_listed(names)} {one if len(names) == 1 else many}"
        for names, one, many in (
            (changed, "differs", "differ"),
            (gone, "is gone", "are gone"),
            (new, "is new", "are new"),
        )
        if names
    ]
    return "; ".join(said)


def _by_folder(files: Mapping[str, str]) -> dict[str, str]:
    """Return a hash of all that is in each folder, whose name ends in `/`."""
    digests: dict[str, hashlib._Hash] = {}
    for name in sorted(files):
        above, _, _ = name.rstrip("/").rpartition("/")
        digest = digests.setdefault(f"{above}/" if above else "./", hashlib.sha256())
        digest.update(f"{name}\n{files[name]}\n".encode())
    return {folder: digest.hexdigest()[:16] for folder, digest in digests.items()}


def _listed(names: Sequence[str]) -> str:
    shown = [f"`{name}`" for name in names[:_SHOWN]]
    if len(names) > _SHOWN:
        return f"{', '.join(shown)} and {len(names) - _SHOWN:,} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
