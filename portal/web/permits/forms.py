"""The form that asks for a permit: a field with the allowed values for each parameter of the DAG."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django import forms
from django.http import QueryDict

from portal.approvals import tickets
from portal.approvals.tickets import MAX_TICKET
from portal.catalogue.document import PolicySpec
from portal.core import durations
from portal.core.text_checks import MAX_TEXT
from portal.dags.parameters.params import Kept, title
from portal.dags.parameters.schema_words import label
from portal.dags.parameters.secrets import mask_for
from portal.dags.permits.permit_kind import LONGEST, MOST_RUNS
from portal.dags.queries import DagOption
from portal.web.action_forms import ActionForm
from portal.web.dags.controls.base import SCALARS, ParamBound
from portal.web.dags.controls.choices import MOST_BOXES

PREFIX = "bound:"
RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\s*(?:\.\.|to)\s*(-?\d+(?:\.\d+)?)")
DATES = ("date", "date-time")


class PermitForm(ActionForm):
    key = forms.CharField(required=False, widget=forms.HiddenInput)
    runs = forms.IntegerField(label="How many runs?", min_value=1, max_value=MOST_RUNS, initial=3)
    duration = forms.CharField(label="For how long?", initial="7 days", max_length=80)
    reason = forms.CharField(
        label="Why do you need it?", required=False, widget=forms.Textarea(attrs={"rows": 3, "maxlength": MAX_TEXT})
    )
    ticket = forms.CharField(label="Ticket", required=False, widget=forms.TextInput(attrs={"maxlength": MAX_TICKET}))

    def __init__(self, data: QueryDict | None = None, *, option: DagOption, policy: PolicySpec) -> None:
        super().__init__(data)
        self.fields["key"].initial = secrets.token_urlsafe(16)
        self.fields["duration"].help_text = f"From the approval on; at most {durations.words(LONGEST)}."
        if policy.ticket:
            self.fields["ticket"].help_text = tickets.words(policy)
        else:
            del self.fields["ticket"]
        self._params = dict(_bounded(option))
        for number, (name, param) in enumerate(self._params.items()):
            field = self.fields[f"{PREFIX}{name}"] = _field(param)
            field.label, field.required = title(name, param), False
            field.html_id = f"bound-{number}"  # type: ignore[attr-defined]
            field.bound_field_class = ParamBound

    @property
    def parameters(self) -> list[forms.BoundField]:
        return [self[f"{PREFIX}{name}"] for name in self._params]

    def clean_duration(self) -> timedelta:
        try:
            return durations.parse(self.cleaned_data["duration"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        cleaned["bounds"] = {}
        for name, param in self._params.items():
            typed = cleaned.get(f"{PREFIX}{name}")
            if isinstance(typed, list):
                if typed:
                    cleaned["bounds"][name] = {"enum": [json.loads(value) for value in typed]}
                continue
            if not (text := (typed or "").strip()):
                continue
            try:
                cleaned["bounds"][name] = _keywords(text, param)
            except ValueError as error:
                self.add_error(f"{PREFIX}{name}", str(error))
        return cleaned

    def given(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        names = ("runs", "duration", "reason", "bounds")
        given = {name: cleaned[name] for name in names}
        return {**given, "ticket": cleaned.get("ticket", ""), "key": cleaned["key"] or None}


def _bounded(option: DagOption) -> Iterator[tuple[str, Kept]]:
    """The declared parameters that can have bounds."""
    params: dict[str, Kept] = option.state.params_in_order if option.state else {}
    for name, param in params.items():
        fixed = name in option.dag.locked or name == option.dag.requester_param
        if not fixed and mask_for(option.dag, {name: "x"}) == {name: "x"}:
            yield name, param


def _field(param: Kept) -> forms.Field:
    """Check boxes for a parameter with few possible values, else a text."""
    schema = param["schema"]
    values = [True, False] if _types(param) == ["boolean"] else schema.get("enum")
    if isinstance(values, list) and len(values) <= MOST_BOXES and all(isinstance(one, SCALARS) for one in values):
        choices = [(json.dumps(value), label(schema, value)) for value in values]
        return forms.MultipleChoiceField(
            choices=choices, widget=forms.CheckboxSelectMultiple, help_text="Choose none to allow every value."
        )
    return forms.CharField(help_text=_hint(param))


def _types(param: Kept) -> list[str]:
    given = param["schema"].get("type", [])
    return given if isinstance(given, list) else [given]


def _hint(param: Kept) -> str:
    if param["schema"].get("format") in DATES:
        return "How many days back at most, for example 7."
    if {"integer", "number"} & set(_types(param)):
        return "A range like 1 to 100, or values separated by commas."
    return "The allowed values, separated by commas."


def _keywords(text: str, param: Kept) -> dict[str, Any]:
    """The bounds that were typed for a parameter. Raises ValueError with the way out."""
    if param["schema"].get("format") in DATES:
        if not text.isascii() or not text.isdecimal() or len(text) > 4:
            raise ValueError("Enter a number of days, for example 7.")
        return {"days_back": int(text)}
    if found := RANGE.fullmatch(text):
        return {"minimum": json.loads(found[1]), "maximum": json.loads(found[2])}
    values = [one.strip() for one in text.split(",") if one.strip()]
    types = set(_types(param))
    if types & {"string"} or not types:
        return {"enum": values}
    try:
        return {"enum": [json.loads(value) for value in values]}
    except ValueError:
        raise ValueError("Write each value as JSON, for example 17 or true, separated by commas.") from None
