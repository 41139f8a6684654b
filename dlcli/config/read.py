"""Reading a config: the only place that knows files, the environment and the whole `Config`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcli.config.attach import refused, with_own
from dlcli.config.checks import cross_check
from dlcli.config.code import stored_texts, texts_in
from dlcli.config.config import Config
from dlcli.config.environment import expand
from dlcli.config.load import Layers, checked, load, read_override, with_overrides
from dlcli.config.merge import normalised, with_names
from dlcli.config.nodes import Node, Origin, Place, dotted, node_from
from dlcli.config.resolve import Error, dumped, located, origins, resolved
from dlcli.config.types import Type
from dlcli.config.write import written
from dlcli.errors import ConfigError, Fault

ROOT = Type("section", options=Config)


@dataclass(frozen=True)
class ReadConfig:
    """A config as it was read, and where everything in it came from.

    Attributes:
        config: The validated config; its name is filled in.
        path: The file.
        text: The file as given.
        overrides: The `KEY=VALUE` texts of the command line.
        root: The merged tree, for places and references.
    """

    config: Config
    path: Path
    text: str
    overrides: tuple[str, ...]
    root: Node = field(repr=False)

    @property
    def folder(self) -> Path:
        """What relative data paths in `config` are relative to."""
        return self.path.parent

    def resolved(self) -> dict[str, Any]:
        """Return every option as plain JSON data, with references to variables as written."""
        return resolved(self.config, self.root)

    def portable(self) -> dict[str, Any]:
        """Return what `resolved` does, but with variables read except in paths of data.

        So it can be read where the variables are not set, and data may lie elsewhere there.
        """
        return resolved(self.config, self.root, only_paths=True)

    def origins(self) -> dict[str, str]:
        """Return where each value came from, by dotted key: `config.yaml:14`, `default`, ..."""
        return origins(self.config, self.root)

    def locate(self, error: Error) -> Error:
        """Return an error whose faults about keys have their file, line and column."""
        return located(error, self.root)


def read_config(
    path: Path,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    *,
    trust_code: bool | None = None,
    folder: Path | None = None,
) -> ReadConfig:
    """Read and check a config; everything that it alone shows to be wrong is told at once.

    Args:
        path: The YAML file.
        overrides: `KEY=VALUE` texts; data paths in them are relative to the working directory.
        environment: Variables for `${env:NAME}`; those of the process unless given.
        trust_code: Whether code that the config names may run. If not, naming any is a fault; None
            leaves that to whoever would run it.
        folder: What paths in the file are relative to; its own folder unless given.

    Raises:
        ConfigError: The config is wrong; each fault has its file, line and column.
        UsageError: There is no such file, or an override is no `KEY=VALUE`.
        MachineError: The file cannot be read.
    """
    variables = os.environ if environment is None else environment

    def attach(root: Node) -> tuple[Node, list[Fault]]:
        root, faults = with_own(
            root,
            ROOT,
            texts_in(folder or path.parent),
            holder="the config",
            is_trusted=trust_code is True,
        )
        return root, [*(refused(root, ROOT) if trust_code is False else []), *faults]

    layers = load(path, overrides, ROOT, variables, attach)
    config = _checked(layers)
    if config.name is None:
        config = config.model_copy(update={"name": _name_of(path)})
    if folder is not None:
        path = folder / path.name
    return ReadConfig(config, path, layers.text, tuple(overrides), layers.root)


@dataclass(frozen=True)
class Stored:
    """The texts of own code that a checkpoint holds.

    Attributes:
        code: See `stored_code`.
        holder: How messages name the checkpoint.
        is_trusted: Whether the code may run.
    """

    code: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    holder: str = "the stored config"
    is_trusted: bool = False


def config_from(
    data: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    *,
    stored: Stored | None = None,
    origin: str = "the stored config",
) -> Config:
    """Check a config that was stored as plain data, such as `ReadConfig.portable` gives.

    Args:
        data: Sections by name.
        environment: Variables for `${env:NAME}`; None leaves references as they are.
        stored: Own code that it names.
        origin: How a message names the data.

    Raises:
        ConfigError: The data is no valid config.
    """
    tree, faults = expand(node_from(data, Place(Origin(origin))), environment)
    root = with_names(normalised(tree, ROOT), ROOT)
    root, misnamed = _with_stored(root, stored)
    return _checked(Layers(root, (*faults, *misnamed), ""))


def changed_data(
    data: Mapping[str, Any],
    overrides: Sequence[str],
    *,
    allowed: Sequence[str] | None,
    stored: Stored | None = None,
    origin: str = "the stored config",
) -> dict[str, Any]:
    """Return a stored config, as `ReadConfig.portable` gives it, with overrides over it.

    Args:
        data: Sections by name; references to variables stay as they are.
        overrides: `KEY=VALUE` texts.
        allowed: The dotted keys that may change; None lets all.
        stored: Own code that it names.
        origin: How a message names the data.

    Raises:
        ConfigError: An override changes another key, or its value is wrong.
        UsageError: An override is no `KEY=VALUE`.
    """
    given = [read_override(text, os.environ) for text in overrides]
    refused = [
        Fault(
            f"`{dotted(path)}` cannot change within a run",
            path,
            file=f"command line: {text}",
            note=f"what can: {', '.join(allowed)}; anything else only with --override",
        )
        for text, (path, _, _) in zip(overrides, given, strict=True)
        if allowed is not None and dotted(path) not in allowed
    ]
    if refused:
        raise ConfigError(refused)
    tree, _ = expand(node_from(data, Place(Origin(origin))), None)
    root, faults = with_overrides(normalised(tree, ROOT), given, ROOT)
    root, misnamed = _with_stored(with_names(root, ROOT), stored)
    config = _checked(Layers(root, (*faults, *misnamed), ""))
    return resolved(config, root, only_paths=True)


def _with_stored(root: Node, stored: Stored | None) -> tuple[Node, list[Fault]]:
    """Give components of own code the classes that the stored texts make."""
    given = stored or Stored()
    texts = stored_texts(given.code, given.holder)
    return with_own(root, ROOT, texts, holder=given.holder, is_trusted=given.is_trusted)


def to_yaml(config: Config | Mapping[str, Any]) -> str:
    """Return a config, or the plain data of one, as YAML that reads back to an equal config."""
    if isinstance(config, Config):
        return written(dumped(config))
    return written(config)


def _checked(layers: Layers) -> Config:
    """Return the validated config, its sections checked against each other."""
    config = checked(Config, layers)
    assert isinstance(config, Config)
    if faults := cross_check(config):
        raise located(ConfigError(faults), layers.root)
    return config


def _name_of(path: Path) -> str:
    """Return a file's stem as a run's name: letters, digits, `.`, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).lstrip("._-") or "run"
