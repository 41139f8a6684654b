"""Runs the text of own code where it is trusted, and says where in it an exception arose.

Nothing else runs code that a config or checkpoint names.
"""

from __future__ import annotations

import builtins
import hashlib
import linecache
import sys
import traceback
from collections.abc import Sequence
from functools import cache, partial
from types import FrameType, ModuleType
from typing import Any

from dlcli.config.code import Code, Text
from dlcli.errors import ConfigError, OwnCodeError

_MARK = "__own_code__"
_CALLERS = "dlcli.own."
"""Begins the names of the modules that call objects of the user's."""


def run_code(code: Code) -> Any:
    """Run a file's text, once in a process, and return the class or function in it.

    Raises:
        ConfigError: It is not trusted; nothing was run.
        OwnCodeError: It ends the program, or removes what it has defined.
    """
    if not code.is_trusted:
        raise ConfigError(
            f"{code.holder} names code, `{code.label}`, which runs only under --trust-code",
            suggestion="--trust-code, in Python trust_code=True, if you trust it",
        )
    module = _module(code.source)
    if not hasattr(module, code.name):
        raise code.error("is no longer there once the file has run")
    return getattr(module, code.name)


def failure_in(error: BaseException) -> OwnCodeError | None:
    """Return an exception as one message with its place in own code; None if it arose elsewhere."""
    frames = list(traceback.walk_tb(error.__traceback__))
    summaries = traceback.extract_tb(error.__traceback__)
    own = [
        (frame, summary)
        for (frame, _), summary in zip(frames, summaries, strict=True)
        if _MARK in frame.f_globals
    ]
    said = f"raised {type(error).__name__}: {error}".partition("\n")[0].removesuffix(": ")
    notes = getattr(error, "__notes__", [])
    remedy = notes[-1] if notes else "--debug shows the traceback"
    if not own:
        code = _called([frame for frame, _ in frames])
        return None if code is None else code.error(said, suggestion=remedy)
    frame, summary = own[-1]
    source: Text = frame.f_globals[_MARK]
    where = "the file" if summary.name == "<module>" else f"`{summary.name}`"
    return OwnCodeError([source.fault(f"{where} {said}", summary.lineno or 0, suggestion=remedy)])


def _called(frames: Sequence[FrameType]) -> Code | None:
    """Return the code whose object was called where an exception arose, though no line of it ran.

    It is so where a class inherits what failed: the last of dlcli's own frames then calls an object
    of the user's, and knows its code.
    """
    names = [str(frame.f_globals.get("__name__")) for frame in frames]
    last = max((i for i, name in enumerate(names) if name.startswith("dlcli.")), default=-1)
    if last in (-1, len(frames) - 1) or not names[last].startswith(_CALLERS):
        return None
    known = frames[last].f_locals
    held = [known.get("code"), *(getattr(known.get("self"), n, None) for n in ("code", "_code"))]
    return next((one for one in held if isinstance(one, Code)), None)


@cache
def _module(source: Text) -> ModuleType:
    """Run a text as a module of its own name."""
    digest = hashlib.sha256(f"{source.place}\n{source.text}".encode()).hexdigest()
    module = ModuleType(f"own_code_{digest[:16]}")
    space = vars(module)
    space[_MARK] = source
    space["print"] = partial(builtins.print, file=sys.stderr)  # stdout is for results
    lines = [f"{line}\n" for line in source.lines]
    linecache.cache[source.place] = (len(source.text), None, lines, source.place)
    sys.modules[module.__name__] = module  # where dataclasses look for it
    try:
        exec(compile(source.text, source.place, "exec", dont_inherit=True), space)
    except SystemExit as leaving:
        raise OwnCodeError(
            [source.fault(f"the file ends the program (exit {leaving.code}) as it is read", 1)]
        ) from leaving
    return module
