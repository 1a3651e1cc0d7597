"""The entries `variables` of a deployment in gatehouse.toml: Airflow variables that people may change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from portal.catalogue import keywords, values
from portal.catalogue.spec import Name, Spec, Subject, Text
from portal.core.secrecy import sounds_secret

MOST = 100  # variables of one deployment, because the worker reads each of them
_JSON_TYPES = ("integer", "number", "boolean", "array", "object")


def _keywords(value: Any) -> Any:
    values.parameters(value)
    if isinstance(value, dict) and value:
        keywords.checked({"schema": value})
    return value


class VariableSpec(Spec):
    """One Airflow variable."""

    key: Annotated[str, AfterValidator(values.variable_key)]
    allowed: Annotated[dict[str, JsonValue], BeforeValidator(_keywords)] = Field(
        default={}, alias="schema", description="JSON Schema keywords for its value; none: any text"
    )
    description: Text = Field(default="", description="what it does, shown to the people who change it")
    who: list[Subject] = Field(
        default=[], description="the people who may change it without approval; without who and policy: the admins"
    )
    policy: Name | None = Field(default=None, description="people in its may_request may ask for a change")

    @model_validator(mode="before")
    @classmethod
    def _of_name(cls, value: Any) -> Any:
        """A bare name is short for an entry with only a key."""
        return {"key": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, handler.resolve_ref_schema(handler(core))]}

    @field_validator("key")
    @classmethod
    def _no_secret(cls, key: str, info: ValidationInfo) -> str:
        if sounds_secret(key) and not values.is_stored(info):
            raise ValueError(
                f"“{key[:60]}” sounds like a secret, and the audit trail keeps every value. Keep secrets in a "
                "connection or a secrets backend."
            )
        return key

    @model_validator(mode="after")
    def _known_form(self, info: ValidationInfo) -> VariableSpec:
        """A variable is a text in Airflow. The schema must say whether it is read as a text or as JSON."""
        if not values.is_stored(info):
            form_of(self.allowed)
        return self

    def __str__(self) -> str:
        """For a plan: the name alone, or with everything that differs from a bare name."""
        said = {name: value for name, value in self.as_json().items() if name != "key" and value}
        return (
            f"{self.key} ({', '.join(f'{name} {_said(value)}' for name, value in said.items())})" if said else self.key
        )


def _said(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(item)}" for name, item in value.items())
    return str(value)


def form_of(schema: Mapping[str, Any]) -> str:
    """How a value is written in Airflow: `text` (as it is) or `json`. Raises ValueError if the schema does not say."""
    if not schema:
        return "text"
    types = schema.get("type", [])
    named = set(types if isinstance(types, list) else [types])
    if not named:
        choices = schema.get("enum", [schema["const"]] if "const" in schema else [])
        named = {"string" if isinstance(choice, str) else "object" for choice in choices}
    if named == {"string"}:
        return "text"
    if named and named <= {*_JSON_TYPES, "null"}:
        return "json"
    raise ValueError(
        f'its schema needs type = "string" or one of {", ".join(_JSON_TYPES)}, or an enum of texts: a variable is a '
        "text in Airflow, which is read as it is or as JSON."
    )


def once_each(variables: list[VariableSpec]) -> list[VariableSpec]:
    seen: set[str] = set()
    for one in variables:
        if one.key in seen:
            raise ValueError(f"the variable “{one.key[:60]}” is named twice; remove one.")
        seen.add(one.key)
    return variables
