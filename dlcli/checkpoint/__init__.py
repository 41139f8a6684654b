"""Checkpoint files: tensors and plain data under one checksum, safe to open."""

from dlcli.checkpoint.store import FORMAT, Loaded, load, save

__all__ = ["FORMAT", "Loaded", "load", "save"]
