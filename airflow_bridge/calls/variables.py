"""Airflow's variables: named values that DAGs read, the place for switches of their behaviour."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any
from urllib.parse import quote

from airflow_bridge.answers import Again
from airflow_bridge.calls.part import Part, addressable, one_budget, readable
from airflow_bridge.errors import Conflict, NotApplied, NotFound, Rejected
from airflow_bridge.types import Variable

KEY = 250  # characters; the column in Airflow's database
HIDDEN = "***"


class Variables(Part):
    """By name, never as a list: many variables hold secrets. Which ones somebody may touch is for the caller to say."""

    def variable(self, key: str) -> Variable | None:
        try:
            return self._read_variable(key)
        except NotFound:
            return None

    @one_budget
    def set_variable(self, key: str, value: str, *, description: str | None = None) -> Variable:
        """Create or change it, and read back."""
        path = self._variable_path(key)
        body = {"key": key, "value": value} | ({} if description is None else {"description": description})
        try:
            self._http.call(
                "PATCH",
                path,
                what=f"to set the variable {key}",
                needs="can_edit on Variables",
                body=body,
                parse=lambda body: None,
                again=Again.ANY,
            )
        except NotFound:
            self._create_variable(key, body)
        with self._reading_back(f"the variable {key}"):
            found = self._read_variable(key)
        if not _shows(found.value, value):
            raise NotApplied(f"{self._http.name} accepted the variable {key}, but shows another value.")
        return found

    def _create_variable(self, key: str, body: dict[str, str]) -> None:
        with contextlib.suppress(Conflict):  # somebody else was quicker: what is read back decides
            self._http.call(
                "POST",
                f"{self._core}/variables",
                what=f"to create the variable {key}",
                needs="can_create on Variables",
                body=body,
                parse=lambda body: None,
                again=Again.OVER,
            )

    def _read_variable(self, key: str) -> Variable:
        what, needs = f"for the variable {key}", "can_read on Variables"
        return self._http.call("GET", self._variable_path(key), what=what, needs=needs, parse=self._parser.variable)

    def _variable_path(self, key: str) -> str:
        if not addressable(key) or len(key) > KEY:
            raise Rejected(f"“{readable(key)}” cannot be addressed as a variable of {self._http.name}.", field="key")
        return f"{self._core}/variables/{quote(key, safe='')}"


def _shows(shown: str, value: str) -> bool:
    """Airflow 3 writes JSON its own way."""
    try:
        return _alike(shown, value) or _alike(json.loads(shown), json.loads(value))
    except ValueError:
        return False


def _alike(shown: Any, value: Any) -> bool:
    """Airflow 3 hides what has a name that sounds secret, in JSON and in parts of a text too: any value fits there."""
    if isinstance(shown, dict) and isinstance(value, dict):
        return shown.keys() == value.keys() and all(_alike(shown[name], value[name]) for name in shown)
    if isinstance(shown, list) and isinstance(value, list):
        return len(shown) == len(value) and all(map(_alike, shown, value))
    if isinstance(shown, str) and HIDDEN in shown:
        return re.fullmatch(".*".join(map(re.escape, shown.split(HIDDEN))), str(value), re.DOTALL) is not None
    return bool(shown == value)
