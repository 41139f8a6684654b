"""The base class of every options class, its constrained types, and choice by `name`; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    Strict,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema, core_schema

from dlcli.config.code import Code

MOST = 1_000_000_000
"""The largest number of anything: of rows, steps or epochs."""

Count = Annotated[int, Field(ge=1, le=MOST)]
"""A whole number from 1."""
Index = Annotated[int, Field(ge=0, le=MOST)]
"""A whole number from 0."""
Width = Annotated[int, Field(ge=1, le=2**20)]
"""How many numbers a layer gives."""
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""What random numbers are drawn from; the next few above it are seeds for torch, too."""
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
"""A share: from 0, below 1."""
Betas = Annotated[tuple[Fraction, Fraction], Strict(False)]
"""Two decay rates; a YAML list of two."""


@dataclass(frozen=True)
class PathMark:
    """Marks a text option as a path or glob, relative to the file that names it."""


@dataclass(frozen=True)
class Like:
    """Shows in messages what a text of a certain form looks like.

    Attributes:
        like: An example.
    """

    like: str


DataPath = Annotated[str, PathMark()]


class Options(BaseModel):
    """Frozen options of one section or component: unknown keys are refused, numbers are finite.

    A component's class has `name: Literal["..."]` and says in `builds` which object its options
    make, as `module:attribute`; only `dlcli.build` imports it. A class that is made from the text
    of own code has that in `code`.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )

    builds: ClassVar[str] = ""
    code: ClassVar[Code | None] = None


Family = TypeVar("Family", bound=Options)


def components(family: type[Family]) -> dict[str, type[Family]]:
    """Return the component classes of a family by name, in the order in which they are written."""
    found: dict[str, type[Family]] = {}
    for member in family.__subclasses__():
        if "name" in member.model_fields and member.code is None:
            (name,) = get_args(member.model_fields["name"].annotation)
            found[name] = member
        found |= components(member)
    return found


@dataclass(frozen=True)
class OneOf:
    """Annotates a family's base class: its `name` chooses the member that reads the options."""

    family: type[Options]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Build a union told apart by `name`; a fault's path holds that name as a tag.

        Own code is read by the class for it in the context, a list, and adds no tag.
        """
        choices = {
            name: handler.generate_schema(member)
            for name, member in components(self.family).items()
        }
        union = core_schema.tagged_union_schema(
            choices, discriminator="name", metadata={"family": self.family}
        )
        return core_schema.with_info_wrap_validator_function(
            self._validated,
            union,
            serialization=core_schema.wrap_serializer_function_ser_schema(
                _dumped, info_arg=True, schema=union
            ),
        )

    def _validated(
        self, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        if isinstance(value, self.family) and value.code is not None:
            return value
        name = value.get("name") if isinstance(value, dict) else None
        own: list[type[Options]] = info.context or []
        named = [one for one in own if one.code is not None and one.code.label == name]
        for member in (one for one in named if issubclass(one, self.family)):
            return member.model_validate(value)
        return handler(value)


def _dumped(value: Options, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
    """Return options as plain data; of own code without the defaults that only running it tells."""
    if value.code is None:
        return handler(value)
    return value.model_dump(mode=info.mode, exclude=set(value.code.opaque - value.model_fields_set))
