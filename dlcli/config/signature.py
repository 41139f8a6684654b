"""What a Python file says of a class or function in it, read from its text: nothing is run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from dlcli.config.annotations import or_nothing, type_of
from dlcli.config.names import nearest

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Arguments = ast.FunctionDef | ast.AsyncFunctionDef


class _Mark:
    """A default that is no value."""


REQUIRED: Final = _Mark()
"""There is no default."""
OPAQUE: Final = _Mark()
"""There is a default, which only running the code would tell."""


class SignatureError(Exception):
    """The text cannot be read, or does not hold what is looked for.

    Args:
        message: What was found and what was expected.
        line: Line of the text, 1-based; 0 where the fault is that something is not there.
        column: Column in that line, 1-based.
        suggestion: The most likely remedy.
        note: What else there is.
    """

    def __init__(
        self, message: str, *, line: int = 0, column: int = 0, suggestion: str = "", note: str = ""
    ) -> None:
        super().__init__(message)
        self.line, self.column = line, column
        self.suggestion, self.note = suggestion, note


@dataclass(frozen=True)
class Parameter:
    """One parameter that can be given by name, or first in order.

    Attributes:
        name: As the text has it.
        type: What pydantic is to accept; `Any` where the annotation says nothing that it knows.
        default: A plain value, `REQUIRED` or `OPAQUE`.
        takes_name: Whether it can be given by name.
    """

    name: str
    type: Any
    default: Any
    takes_name: bool = True


@dataclass(frozen=True)
class Signature:
    """A class or function as its text has it.

    Attributes:
        line: Where it begins, 1-based.
        is_class: Whether it is a class; its parameters are then those of `__init__`.
        positional: How many of the parameters can be given in order.
        parameters: All that have a name, without `self`.
        takes_more_values: Whether there is `*NAME`.
        takes_more_names: Whether there is `**NAME`.
        attributes: Values that are written out in the class itself, by name.
    """

    line: int
    is_class: bool
    positional: int
    parameters: tuple[Parameter, ...]
    takes_more_values: bool
    takes_more_names: bool
    attributes: Mapping[str, Any]


def parse(text: str) -> ast.Module:
    """Parse a file's text.

    Raises:
        SignatureError: It is no Python.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # they are shown where it is run
            module = ast.parse(text)
            compile(module, "own code", "exec", dont_inherit=True)  # finds more, and runs nothing
            return module
    except SyntaxError as error:
        raise SignatureError(
            f"not Python: {error.msg}", line=error.lineno or 1, column=error.offset or 1
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:  # NUL, or nested too deep
        raise SignatureError(f"not Python: {error}", line=1, column=1) from error


def read_signature(module: ast.Module, name: str) -> Signature:
    """Return what a module's text says of a class or function.

    Raises:
        SignatureError: There is none of that name.
    """
    found = _definitions(module)
    if name not in found:
        near = nearest(name, found)
        raise SignatureError(
            f"no class or function `{name}`",
            suggestion=f"did you mean `{near}`?" if near else "",
            note=f"it has: {', '.join(found) or 'none'}",
        )
    definition = found[name]
    if not isinstance(definition, ast.ClassDef):
        return _signature(definition, definition, {}, has_self=False)
    classes = list(_lineage(definition, found))
    attributes = {key: value for one in reversed(classes) for key, value in _attributes(one)}
    for one in classes:
        for statement in one.body:
            if isinstance(statement, Arguments) and statement.name == "__init__":
                return _signature(definition, statement, attributes, has_self=True)
        if _is_dataclass(one):
            return Signature(
                definition.lineno, True, 0, tuple(_members(one)), False, False, attributes
            )
    return Signature(definition.lineno, True, 0, (), False, False, attributes)


def imported_names(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the first word of every module that is imported, and the line; `.` where relative.

    What stands under `if __name__ == ...` or `if TYPE_CHECKING` is never run.
    """
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.If) and {"__name__", "TYPE_CHECKING"} & _words(node.test):
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else (node.module or "").partition(".")[0], node.lineno


def _words(node: ast.expr) -> set[str]:
    """Return every name in an expression, the last word of a dotted one."""
    inner = list(ast.walk(node))
    words = {one.id for one in inner if isinstance(one, ast.Name)}
    return words | {one.attr for one in inner if isinstance(one, ast.Attribute)}


def _definitions(module: ast.Module) -> dict[str, Definition]:
    """Return the classes and functions of a module by name, the last of a name as Python has it."""
    return {one.name: one for one in module.body if isinstance(one, Definition)}


def _lineage(definition: ast.ClassDef, found: Mapping[str, Definition]) -> Iterator[ast.ClassDef]:
    """Yield a class, then those in the same file that it is made from, each once."""
    waiting, seen = [definition], set[str]()
    while waiting:
        one = waiting.pop(0)
        if one.name in seen:
            continue
        seen.add(one.name)
        yield one
        bases = (found.get(base.id) for base in one.bases if isinstance(base, ast.Name))
        waiting += [base for base in bases if isinstance(base, ast.ClassDef)]


def _attributes(definition: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    """Yield `name = value` and `name: type = value` of a class, where the value is written out."""
    for statement in definition.body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        value = _default(statement.value)
        for target in targets:
            if isinstance(target, ast.Name) and not isinstance(value, _Mark):
                yield target.id, value


def _is_dataclass(definition: ast.ClassDef) -> bool:
    for decorator in definition.decorator_list:
        named = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", "")
        if name == "dataclass":
            return True
    return False


def _members(definition: ast.ClassDef) -> Iterator[Parameter]:
    """Yield the fields of a dataclass."""
    for statement in definition.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if "ClassVar" not in _words(statement.annotation):
            default = REQUIRED if statement.value is None else _default(statement.value)
            yield _parameter(statement.target.id, statement.annotation, default)


def _signature(
    definition: Definition,
    function: Arguments,
    attributes: Mapping[str, Any],
    *,
    has_self: bool,
) -> Signature:
    given = function.args
    in_order = [*given.posonlyargs, *given.args]
    first = len(in_order) - len(given.defaults)
    defaults = [None] * first + list(given.defaults)
    parameters = [
        _parameter(
            one.arg,
            one.annotation,
            REQUIRED if number < first else _default(default),
            takes_name=number >= len(given.posonlyargs),
        )
        for number, (one, default) in enumerate(zip(in_order, defaults, strict=True))
    ][int(has_self) :]
    by_name = [
        _parameter(one.arg, one.annotation, REQUIRED if default is None else _default(default))
        for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    return Signature(
        definition.lineno,
        isinstance(definition, ast.ClassDef),
        len(parameters),
        (*parameters, *by_name),
        given.vararg is not None,
        given.kwarg is not None,
        attributes,
    )


def _parameter(
    name: str, annotation: ast.expr | None, default: Any, *, takes_name: bool = True
) -> Parameter:
    kind = type_of(annotation)
    if isinstance(default, tuple) and kind is Any:
        kind = type_of(ast.Name("tuple"))
    if default is None:
        kind = or_nothing(kind)
    return Parameter(name, kind, default, takes_name)


def _default(node: ast.expr | None) -> Any:
    """Return a default that is written out as plain data, or `OPAQUE`.

    Within it tuples become lists, as they do on the way through a checkpoint.
    """
    if node is None:
        return OPAQUE
    try:
        value = ast.literal_eval(node)
        return tuple(map(_plain, value)) if isinstance(value, tuple) else _plain(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return OPAQUE


def _plain(value: Any) -> Any:
    """Return a value as JSON gives it back.

    Raises:
        ValueError: JSON cannot say it.
    """
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    raise ValueError("no plain data")
