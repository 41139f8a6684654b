"""Options made from the text of own code, which is parsed and never run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field, create_model

from dlcli.config.code import Code, Text
from dlcli.config.optimizer import LR
from dlcli.config.options import Options, PositiveFloat
from dlcli.config.own import OwnOptimizerOptions, Rules, own_base, rules_of
from dlcli.config.signature import (
    OPAQUE,
    REQUIRED,
    Parameter,
    Signature,
    SignatureError,
    imported_names,
    parse,
    read_signature,
)
from dlcli.config.types import read_type
from dlcli.errors import Fault

_LISTS = {"takes"}
"""Attributes of which there can be several."""


class DefinitionError(Exception):
    """A text does not hold what the config names.

    Args:
        faults: Each at its place in the text, or without a place where something is not there.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(fault.message for fault in faults))
        self.faults = tuple(faults)


@lru_cache(maxsize=256)
def own_options(
    family: type[Options], file: str, name: str, source: Text, *, holder: str, is_trusted: bool
) -> type[Options]:
    """Return the options class of own code, made from its text, which is not run.

    Args:
        family: What the code is to be.
        file: Its file, as the config names it.
        name: The class or function in it.
        source: The file's text.
        holder: What names it: `the config`, or a checkpoint.
        is_trusted: Whether it may run.

    Raises:
        DefinitionError: The text does not hold what a member of the family has to be.
    """
    base = own_base(family)
    assert base is not None
    try:
        module = parse(source.text)
        signature = read_signature(module, name)
    except SignatureError as error:
        raise DefinitionError([_fault(error, source)]) from error
    faults = [*_wrong_imports(imported_names(module), source, file)]
    faults += _wrong(signature, base, source, name)
    if faults:
        raise DefinitionError(faults)
    own = [one for one in _own(signature, rules_of(base)) if one.takes_name]
    opaque = frozenset(one.name for one in own if one.default is OPAQUE)
    names = tuple(one.name for one in own)
    given = frozenset(one.name for one in signature.parameters) & {*rules_of(base).given}
    code = Code(file, name, source, signature.line, holder, is_trusted, names, opaque, given)
    return _made(base, own, signature, code)


def _fault(error: SignatureError, source: Text) -> Fault:
    if error.line:
        return source.fault(str(error), error.line, error.column)
    return Fault(f"{source.place} has {error}", suggestion=error.suggestion, note=error.note)


def _wrong_imports(imports: Iterator[tuple[str, int]], source: Text, file: str) -> Iterator[Fault]:
    """Yield a fault for every import of a file that no checkpoint would hold."""
    for module, line in imports:
        if module == "." or source.has_beside(module):
            what = "a package that it is in" if module == "." else f"`{module}`, a file beside it"
            yield source.fault(
                f"{file} imports {what}; own code is one file, whose text a checkpoint keeps",
                line,
                suggestion="move what it needs into it",
            )


def _wrong(signature: Signature, base: type[Options], source: Text, name: str) -> Iterator[Fault]:
    """Yield what makes a class or function no member of its family."""
    rules = rules_of(base)
    shown = rules.shown.format(name=name)

    def fault(message: str) -> Fault:
        return source.fault(f"`{name}` {message}", signature.line, suggestion=shown)

    form = "a class" if signature.is_class else "a function"
    if rules.form not in ("a class or a function", form):
        yield fault(f"is {form}; expected {rules.form}")
        return
    first = _in_order(signature, rules)
    if len(first) > signature.positional and not signature.takes_more_values:
        yield fault(f"does not take {', '.join(f'`{one}`' for one in first)} in order")
        return
    rest = signature.parameters[len(first) :]
    if not signature.takes_more_names:
        names = {one.name for one in rest}
        missing = [one for one in _needed(base, rules) if one not in names]
        if missing:
            yield fault(f"does not take {', '.join(f'`{one}`' for one in missing)}")
    for one in _own(signature, rules):
        yield from map(fault, _wrong_parameter(one, base, rules))
    yield from map(fault, _wrong_attributes(signature, rules))


def _in_order(signature: Signature, rules: Rules) -> tuple[str, ...]:
    """Return what is given in order; a loss that is a class takes outputs when it is called."""
    is_called = rules.form == "a class or a function" and signature.is_class
    return () if is_called else rules.in_order


def _needed(base: type[Options], rules: Rules) -> tuple[str, ...]:
    return (*rules.needed, *(["lr"] if base is OwnOptimizerOptions else []))


def _own(signature: Signature, rules: Rules) -> Iterator[Parameter]:
    """Yield the parameters that a config gives."""
    for one in signature.parameters[len(_in_order(signature, rules)) :]:
        if one.name not in (*rules.needed, *rules.given):
            yield one


def _wrong_parameter(one: Parameter, base: type[Options], rules: Rules) -> Iterator[str]:
    if not one.takes_name and one.default is REQUIRED:
        yield f"takes `{one.name}` in order, and a config gives it by name"
    if one.name.startswith("_") or one.name in {*dir(base), *base.model_fields, "name"}:
        yield f"takes `{one.name}`, which means something else to dlcli: call it otherwise"
    elif not rules.reads_files and any(kind.is_path for kind in read_type(one.type).members):
        yield f"takes a path, `{one.name}`: only `data` may read files, a checkpoint stands alone"


def _wrong_attributes(signature: Signature, rules: Rules) -> Iterator[str]:
    for name in rules.required:
        if name not in signature.attributes:
            accepted = " or ".join(map(str, rules.attributes[name]))
            yield f"does not say `{name} = {accepted}`"
    for name, choices in rules.attributes.items():
        value = signature.attributes.get(name, choices[0])
        values = _listed(value) if name in _LISTS else [value]
        if not values or any(one not in choices for one in values):
            yield f"says `{name} = {value!r}`; accepted: {', '.join(map(str, choices))}"


def _made(
    base: type[Options], own: Sequence[Parameter], signature: Signature, code: Code
) -> type[Options]:
    """Return a class with a field for each parameter that a config gives."""
    fields: dict[str, Any] = {"name": (Literal[code.label], code.label)}
    fields |= {one.name: (_type(one, base), _field(one, base)) for one in own}
    made: type[Options] = create_model(code.label, __base__=base, __doc__=base.__doc__, **fields)
    made.code = code
    for name in rules_of(base).attributes.keys() & signature.attributes.keys():
        setattr(made, name, _attribute(name, signature.attributes[name]))
    if signature.takes_more_names:
        made.model_config["extra"] = "allow"
        made.model_rebuild(force=True)
    return made


def _attribute(name: str, value: Any) -> Any:
    return tuple(_listed(value)) if name in _LISTS else value


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, tuple | list) else [value]


def _type(one: Parameter, base: type[Options]) -> Any:
    return PositiveFloat if _is_rate(one, base) else one.type


def _field(one: Parameter, base: type[Options]) -> Any:
    is_rate = _is_rate(one, base)
    description = LR if is_rate else None
    is_told = isinstance(one.default, int | float) if is_rate else one.default is not REQUIRED
    if not is_told:
        return Field(description=description)
    default = None if one.default is OPAQUE else one.default
    return Field(default, description=description, validate_default=False)


def _is_rate(one: Parameter, base: type[Options]) -> bool:
    return base is OwnOptimizerOptions and one.name == "lr"
