"""The shapes of variables. The rules of portal.api.shapes apply."""

from __future__ import annotations

from pydantic import BaseModel, Field, JsonValue

from portal.api.parsing import Moment
from portal.api.shapes import OperationOut


class VariableOut(BaseModel):
    deployment: str
    key: str
    description: str | None
    value: str | None = Field(description="as Airflow stores it; null: not set, not read yet, or too long")
    allowed: dict[str, JsonValue] = Field(description="JSON Schema keywords of the value; empty: any text")
    may_change: bool = Field(description="without an approval")
    may_ask: bool
    policy: str | None = Field(description="by which a change can be asked for")
    problem: str | None = Field(description="why the value could not be read the last time")
    set_by: str | None = Field(description="the operation that set this value; null: it was set in Airflow")
    as_of: Moment | None


class VariableDetail(VariableOut):
    changes: list[OperationOut] = Field(description="the last ones through Gatehouse, newest first")
