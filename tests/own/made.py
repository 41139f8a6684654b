"""Options of own code from a text, for tests of one component alone."""

from __future__ import annotations

from typing import Any

from dlcli.config.code import Text
from dlcli.config.definition import own_options
from dlcli.config.options import Options

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"


def made(family: type[Options], text: str, *, head: str = HEAD, **own: Any) -> Any:
    """Return the options of `X` in a text, as a config that names it would give them."""
    source = Text(head + text, "x.py")
    kind = own_options(family, "x.py", "X", source, holder="the config", is_trusted=True)
    return kind(**own)
