"""The base model and the common value types of gatehouse.toml."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from portal.catalogue import values
from portal.core import durations

Duration = Annotated[
    timedelta,
    BeforeValidator(values.duration),
    PlainSerializer(durations.iso, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["30m", "8h", "3d", "1d 12h"]}),
]
Subject = Annotated[
    str,
    AfterValidator(values.subject),
    WithJsonSchema({"type": "string", "pattern": "^(group|user):.+$", "examples": ["group:data", "user:lead"]}),
]
Name = Annotated[str, AfterValidator(values.name)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON with every default filled in; `model_validate` restores an equal object."""
        return self.model_dump(mode="json", exclude_none=True, by_alias=True)
