"""The parameters on the form of a run: by section, each with what the page says about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms

from portal.core.secrecy import mask
from portal.dags.parameters.declared import Declared
from portal.dags.parameters.schema_words import value_in_words
from portal.web.dags.controls.base import Control, is_fixed, is_nullable, one_line_break
from portal.web.dags.secret_fields import SecretFields


@dataclass(frozen=True)
class Row:
    """A parameter on the form. optional: it may be empty. changed: in words, its default, if the value differs."""

    bound: forms.BoundField
    optional: bool
    needs_value: bool
    changed: str = ""


@dataclass(frozen=True)
class Section:
    title: str
    rows: list[Row]
    is_open: bool


class ParamRows(SecretFields):
    """A part of a form: the rows of its parameters."""

    is_json: bool
    controls: dict[str, Control]

    @property
    def sections(self) -> list[Section]:
        """The parameters by the section that the DAG puts them in, in its order; those without a section first."""
        by_title: dict[str, list[Row]] = {"": []}
        for name, one in self.declared.items():
            if (row := self._row(name, one)) is not None:
                title = one.schema.get("section")
                by_title.setdefault(title if isinstance(title, str) else "", []).append(row)
        return [
            Section(title, rows, any(row.bound.errors or row.changed or row.needs_value for row in rows))
            for title, rows in by_title.items()
            if rows
        ]

    @property
    def secrets(self) -> list[forms.BoundField]:
        """The fields of secrets that are not among the rows."""
        shown = set() if self.is_json else set(map(self.secret_of, self.declared))
        return [self[field] for field in self.places if field not in shown]

    @property
    def fixed(self) -> list[tuple[str, str]]:
        """The parameters without a control, each with its value in words."""
        found = [one for one in self.declared.values() if is_fixed(one)]
        return [(one.label, _fixed_words(one)) for one in found]

    def typed(self, name: str) -> Any:
        """What was entered for a parameter, as its control writes a value."""
        found = self[field_name(name)].data
        if isinstance(found, str):
            return self.controls[name].tidy(one_line_break(found))
        return "" if found is None else found

    def _row(self, name: str, one: Declared) -> Row | None:
        if name in self.controls:
            return Row(self[field_name(name)], is_nullable(one), not one.has_default, self._changed(name, one))
        if field := self.secret_of(name):
            return Row(self[field], one.has_default, not one.has_default)
        return None

    def _changed(self, name: str, one: Declared) -> str:
        if not one.has_default or one.hidden:
            return ""
        now = self.typed(name) if self.is_bound else self.initial.get(field_name(name))
        if now == self.controls[name].write(one.default):
            return ""
        return "hidden" if one.is_secret else value_in_words(one.schema, one.default)


def field_name(name: str) -> str:
    return f"param:{name}"


def _fixed_words(one: Declared) -> str:
    value = one.fixed if one.is_fixed else one.schema["const"]
    is_secret = one.is_secret or mask({one.name: value}) != {one.name: value}
    return "hidden" if is_secret else value_in_words(one.schema, value)
