"""The form of a run: one field for each parameter, or one JSON text with all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone

from portal.approvals import tickets
from portal.approvals.tickets import MAX_TICKET
from portal.catalogue.document import PolicySpec
from portal.core import bounds
from portal.core.errors import GatehouseError, Invalid, Wrong
from portal.core.secret_schema import Place
from portal.core.text_checks import MAX_TEXT
from portal.dags.parameters import conf as parameters
from portal.dags.parameters import validating
from portal.dags.parameters.declared import Declared, defaults
from portal.dags.requests import run_requests
from portal.web.action_forms import ActionForm
from portal.web.dags.controls.base import NOTHING, Control, is_fixed, one_line_break
from portal.web.dags.controls.choosing import control
from portal.web.dags.controls.showing import can_show
from portal.web.dags.param_rows import ParamRows, field_name

FORM, JSON = "form", "json"
JSON_PLACE = re.compile(r"Not valid JSON at line (?P<line>\d+), column (?P<column>\d+)")
BEFORE = 40  # characters that are shown of the text before a mistake in JSON


class RunForm(ParamRows, ActionForm):
    """values: what the fields begin with, in place of the DAG's defaults. links: texts of parameters in a link.

    declared: the parameters; None while they are unknown, then the form has the JSON text alone.
    asks: the policy by which the run must be approved; None: the person may run it at once.
    """

    mode = forms.ChoiceField(choices=[(FORM, FORM), (JSON, JSON)], required=False, widget=forms.HiddenInput)
    again = forms.CharField(required=False, widget=forms.HiddenInput)
    key = forms.CharField(required=False, widget=forms.HiddenInput)
    note = forms.CharField(
        label="Note",
        required=False,
        help_text="Shown on the run in Airflow, with your user name and the run's reference.",
        widget=forms.TextInput(attrs={"maxlength": 500, "autocomplete": "off"}),
    )

    start_at = forms.DateTimeField(
        label="Start",
        required=False,
        error_messages={"invalid": "Enter a date and a time, for example 24/11/2026 09:00."},
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "class": "short-time"}, format="%Y-%m-%dT%H:%M"),
    )
    reason = forms.CharField(
        label="Why do you need this run?",
        required=False,
        help_text="Approvers read it; it is in the run's note in Airflow, and the audit trail keeps it.",
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": MAX_TEXT}),
    )
    ticket = forms.CharField(label="Ticket", required=False, widget=forms.TextInput(attrs={"maxlength": MAX_TICKET}))

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        declared: Mapping[str, Declared] | None,
        undeclared: bool = False,
        values: Mapping[str, Any] | None = None,
        links: Mapping[str, list[str]] | None = None,
        places: Iterable[Place] = (),
        mode: str = "",
        asks: PolicySpec | None = None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        self.declared = declared or {}
        self.undeclared = undeclared
        self.unshown = self._unshown(values or {})
        typed = mode if data is None else data.get("mode") or (JSON if "conf" in data else FORM)
        self.is_json = declared is None or typed == JSON or (data is None and bool(self.unshown))
        super().__init__(data, initial={**(initial or {}), "mode": JSON if self.is_json else FORM})
        free = {
            name: value
            for name, value in (values or {}).items()
            if (name not in self.declared or not self.declared[name].is_fixed)
            and (self.is_json or name not in self.unshown)
        }
        self.base = {**dict(defaults(self.declared)), **free}
        self.controls: dict[str, Control] = {}
        self.asks = asks
        self._add_questions(asks)
        self.add_secrets(places)
        if self.is_json:
            self._add_text("conf", "Parameters", self._all(), "A JSON object.", rows=12)
        else:
            self._add_controls(links or {})

    def _unshown(self, values: Mapping[str, Any]) -> list[str]:
        """The parameters whose value cannot be shown in a field, so that the form must begin with the JSON text."""
        return [name for name, value in values.items() if not self._can_show(name, value)]

    def _can_show(self, name: str, value: Any) -> bool:
        one = self.declared.get(name)
        if one is None:
            return self.undeclared
        if is_fixed(one) or one.is_secret or (one.has_default and value == one.default):
            return True
        return can_show(control(one, ""), value)

    def _add_questions(self, asks: PolicySpec | None) -> None:
        """Keep the fields that this person needs: a note for a run at once, reason and ticket for an approval."""
        zone = timezone.get_current_timezone_name()
        when = "as soon as it is approved" if asks else "now"
        self.fields["start_at"].help_text = f"In {zone} time. Leave it empty to start {when}."
        if asks is None:
            del self.fields["reason"]
        else:
            del self.fields["note"]
        if asks is not None and asks.ticket:
            self.fields["ticket"].help_text = tickets.words(asks)
        else:
            del self.fields["ticket"]

    def _add_controls(self, links: Mapping[str, list[str]]) -> None:
        secret = {place.path for place in self.places.values()}
        for number, (name, one) in enumerate(self.declared.items()):
            if is_fixed(one) or (name,) in secret:
                continue
            made = self.controls[name] = control(one, f"param-{number}")
            made.field.is_named = True  # type: ignore[attr-defined]  # in the summary of errors
            self.fields[field_name(name)] = made.field
            if name in links:
                self.initial[field_name(name)] = made.prefill(links[name])
            elif name in self.base:
                self.initial[field_name(name)] = made.write(self.base[name])
        others = {name: value for name, value in self.base.items() if name not in self.declared}
        if self.undeclared:
            help_text = "A JSON object with parameters that the DAG does not declare."
            self._add_text("conf", "Other parameters", others, help_text, rows=4)

    def _add_text(self, name: str, label: str, values: Mapping[str, Any], help_text: str, *, rows: int) -> None:
        attrs = {"rows": rows, "class": "mono", "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}
        self.fields[name] = forms.CharField(
            label=label, required=False, strip=False, help_text=help_text, widget=forms.Textarea(attrs=attrs)
        )
        self.initial[name] = json.dumps(values, indent=2, ensure_ascii=False) if values or self.is_json else ""

    def _all(self) -> dict[str, Any]:
        """The values of the JSON text: those that the form would send."""
        secret = {place.path[0] for place in self.places.values() if len(place.path) == 1}
        return {name: value for name, value in self.base.items() if name not in secret}

    def begins_with(self) -> dict[str, Any]:
        """The parameters that an untouched form sends. Raises Invalid if a text in a link cannot be read."""
        if self.is_json:
            return self._all()
        values = {name: self.base[name] for name in self.declared if name in self.base}
        for name, made in self.controls.items():
            if (begun := self.initial.get(field_name(name), NOTHING)) is NOTHING:
                continue
            if name in self.base and begun == made.write(self.base[name]):
                continue
            try:
                values[name] = made.read(begun)
            except ValueError as error:
                raise Invalid({validating.field(name): str(error)}) from None
        return {name: value for name, value in values.items() if value is not NOTHING}

    def conf(self) -> dict[str, Any]:
        """The entered parameters. Raises Invalid with every parameter that cannot be read."""
        return self.with_secrets(self.without_secrets())

    def without_secrets(self) -> dict[str, Any]:
        """The same without what was entered in the fields of secrets. Raises Invalid, as `conf`."""
        typed = parameters.parse(self.data.get("conf", "")) if "conf" in self.fields else {}
        if self.is_json:
            return typed
        values, wrong = dict(typed), {}
        for name, one in self.declared.items():
            if name not in self.controls:
                if "const" in one.schema and not one.is_fixed and name in self.base:
                    values[name] = self.base[name]
                continue
            try:
                value = self._read(name)
            except ValueError as error:
                wrong[validating.field(name)] = f"{one.label}: {error}"
                continue
            if value is not NOTHING:
                values[name] = value
        if wrong:  # with the errors that the action would find in the other parameters
            found = validating.problems(self.declared, values, undeclared=self.undeclared)
            raise Invalid({**found, **wrong})
        return values

    def _read(self, name: str) -> Any:
        """The entered value. An unchanged field has exactly the value that it began with."""
        made, typed = self.controls[name], self.typed(name)
        if name in self.base and typed == one_line_break(made.write(self.base[name])):
            return self.base[name]
        return made.read(typed)

    @property
    def start(self) -> datetime | None:
        """The wished start; None for as soon as possible. Raises Invalid if it cannot be read."""
        self.is_valid()  # fills `cleaned_data`
        if "start_at" in self.errors:
            raise Invalid({"start_at": str(self.errors.pop("start_at")[0])})
        found: datetime | None = self.cleaned_data.get("start_at")
        return bounds.moment(found) if found else None

    def given(self) -> dict[str, Any]:
        """The arguments for both actions: a run at once, and asking for a run. Raises Invalid with every parameter that
        cannot be read, and then also with the errors of the other fields."""
        wrong = Wrong()
        with wrong.collecting():
            conf = self.conf()
        if wrong:
            with wrong.collecting():
                asked = self.asked()
                wrong.update(run_requests.problems(self.asks, asked["reason"], asked["ticket"], asked["start_at"]))
        wrong.check()
        return {
            "conf": conf,
            "note": self.data.get("note", ""),
            "key": self.data.get("key", "") or None,
            "entered_secrets": self.entered_secrets(),
        }

    def asked(self) -> dict[str, Any]:
        """The further arguments for asking for a run."""
        return {name: self.data.get(name, "") for name in ("reason", "ticket")} | {"start_at": self.start}

    def show_errors(self, error: GatehouseError) -> None:
        """The same, but a parameter's error does not repeat the label that stands above it, and an error in JSON says
        what it comes after."""
        if isinstance(error, Invalid):
            labels = {validating.field(name): f"{self.declared[name].label}: " for name in self.controls}
            error = Invalid(
                {
                    name: text.removeprefix(labels.get(name, "")) + self._place_in_json(self.field_of(name), text)
                    for name, text in error.fields.items()
                }
            )
        super().show_errors(error)

    def _place_in_json(self, field: str | None, error: str) -> str:
        """The text before the place that an error in JSON names; empty for other errors."""
        found, typed = JSON_PLACE.search(error), self.data.get(field or "", "")
        if found is None or not isinstance(typed, str):
            return ""
        lines = one_line_break(typed).split("\n")[: int(found["line"])]
        before = "\n".join([*lines[:-1], lines[-1][: int(found["column"]) - 1]]).split()
        said = " ".join(before)
        return f" This is after “{'…' if len(said) > BEFORE else ''}{said[-BEFORE:]}”." if said else ""

    def take_focus(self) -> None:
        """The first field takes the focus: the person has changed from one view of the form to the other."""
        first = "conf" if self.is_json else next(map(field_name, self.controls), "conf")
        if first in self.fields:
            self.fields[first].widget.attrs["data-focus"] = True

    def field_of(self, name: str | None) -> str | None:
        if name in self.fields:
            return name
        if name == "confirm":
            return None
        if name and name.startswith("conf."):
            found = next((one for one in self.declared if validating.field(one) == name), "")
            fields = (field_name(found), self.secret_of(found), "conf")
            return next((field for field in fields if field in self.fields), None)
        return None
