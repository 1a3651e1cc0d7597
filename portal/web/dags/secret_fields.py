"""Form fields of a DAG's secrets. Each secret is entered in a field of its own, which never shows the value again."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from portal.core.errors import Invalid
from portal.core.secrecy import Path
from portal.core.secret_schema import Place
from portal.dags.parameters.conf import parse_value
from portal.dags.parameters.declared import Declared
from portal.web.dags.descriptions import description

MOST = 50
LEFT_EMPTY = "If empty, the DAG's default applies."


class SecretFields(forms.Form):
    """A part of a form: the secrets in a run's parameters."""

    declared: Mapping[str, Declared]

    def add_secrets(self, places: Iterable[Place]) -> None:
        """Add a field for each place, and for each secret that was sent: the DAG may have changed meanwhile."""
        known = {_field_name(place): place for place in places}
        known |= {name: place for name in self.data if (place := _place_of(name))}
        self.places = dict(list(known.items())[:MOST])
        for name, place in self.places.items():
            self.fields[name] = forms.CharField(
                label=self._label(place),
                required=False,
                strip=False,
                help_text=self._help(place),
                widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "mono"}),
            )

    def secret_of(self, name: str) -> str:
        """The field in which all of the parameter `name` is entered as a secret; empty if there is none."""
        return next((field for field, place in self.places.items() if place.path == (name,)), "")

    def _label(self, place: Place) -> str:
        one = self.declared.get(place.path[0])
        return ".".join((one.title if one else place.path[0], *place.path[1:]))

    def _help(self, place: Place) -> str:
        one = self.declared.get(place.path[0])
        is_whole = one is not None and len(place.path) == 1
        said = description(one.schema) if one is not None and is_whole else ""
        if_empty = "" if one is not None and is_whole and not one.has_default else LEFT_EMPTY
        return " ".join(
            filter(None, [said, "Secret; not shown again.", "" if place.text else "A JSON value.", if_empty])
        )

    def entered_secrets(self) -> list[Path]:
        return [place.path for name, place in self.places.items() if self.data.get(name, "")]

    def with_secrets(self, conf: dict[str, Any]) -> dict[str, Any]:
        """A copy of `conf` with the entered secrets. Raises Invalid with the field."""
        conf = copy.deepcopy(conf)  # its parts may be defaults of the DAG, which are shown
        for name, place in self.places.items():
            if not (entered := self.data.get(name, "")):
                continue
            if len(place.path) > 1 and place.path[0] not in conf:
                raise Invalid(
                    {name: f"Add all of “{place.path[0]}” to the parameters: it replaces the DAG's default completely."}
                )
            _put(conf, place.path, entered if place.text else _json(name, entered), name)
        return conf


def _field_name(place: Place) -> str:
    steps = [step.replace("~", "~0").replace("/", "~1") for step in place.path]  # a JSON pointer (RFC 6901)
    return f"secret:{'text' if place.text else 'json'}:/{'/'.join(steps)}"


def _place_of(name: str) -> Place | None:
    if found := re.fullmatch(r"secret:(text|json):/(.{1,500})", name, re.DOTALL):
        path = tuple(step.replace("~1", "/").replace("~0", "~") for step in found[2].split("/"))
        return Place(path, found[1] == "text")
    return None


def _json(name: str, entered: str) -> Any:
    try:
        return parse_value(entered)
    except Invalid:
        raise Invalid({name: "Not valid JSON. Write a number as 17, a text in double quotes."}) from None


def _put(conf: dict[str, Any], path: tuple[str, ...], value: Any, name: str) -> None:
    for step in path[:-1]:
        conf = conf.setdefault(step, {})
        if not isinstance(conf, dict):
            raise Invalid({name: f"“{step}” in the parameters must be a JSON object to hold this value."})
    conf[path[-1]] = value
