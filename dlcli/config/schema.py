"""A JSON schema of a config, for editors, made from the options classes."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from dlcli.config.code import NAME
from dlcli.config.options import Options
from dlcli.config.own import own_base

_REFERENCE: JsonSchemaValue = {"type": "string", "pattern": r"\$\{env:[A-Za-z_][A-Za-z0-9_]*\}"}
_EXTENDS = {"type": "string", "description": "Path of a config whose values this one takes over."}

_CODE: JsonSchemaValue = {"type": "string", "pattern": f"^{NAME}$"}
_OWN_CODE: list[JsonSchemaValue] = [
    _CODE,
    {"type": "object", "properties": {"name": _CODE}, "required": ["name"]},
]
"""Own code by its name, alone or with options of its own."""


def schema_of(options: type[Options]) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a config file.

    Beside what pydantic says, it accepts a bare word for a component, a reference to an
    environment variable for a number or truth value, and `extends`, under which nothing at the
    top is required.
    """
    schema = options.model_json_schema(schema_generator=_Generator)
    required = schema.pop("required", [])
    schema["properties"] = {"extends": _EXTENDS, **schema["properties"]}
    schema["anyOf"] = [{"required": ["extends"]}, {"required": required}]
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}


class _Generator(GenerateJsonSchema):
    """Adds what the dialect accepts beside pydantic's strict types."""

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """A component: its name alone, or a map; without `name` where there is a default."""
        members = super().tagged_union_schema(schema)
        members.pop("discriminator", None)  # OpenAPI's, unknown to JSON schema
        accepted = [{"enum": [str(name) for name in schema["choices"]]}, members]
        family = (schema.get("metadata") or {}).get("family", Options)
        return {"anyOf": [*accepted, *(_OWN_CODE if own_base(family) else [])]}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Options; a component's `name` is required, so that an editor tells members apart."""
        made = super().model_schema(schema)
        if "const" in made.get("properties", {}).get("name", {}):
            made["required"] = ["name", *made.get("required", [])]
        return made

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        """A whole number or a reference."""
        return {"anyOf": [super().int_schema(schema), _REFERENCE]}

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        """A number or a reference."""
        return {"anyOf": [super().float_schema(schema), _REFERENCE]}

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        """A truth value or a reference."""
        return {"anyOf": [super().bool_schema(schema), _REFERENCE]}
