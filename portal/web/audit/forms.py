"""The filter of the audit trail. It is part of the address, so that every view can be linked and exported."""

from __future__ import annotations

from django import forms
from django.http import QueryDict
from django.utils.dateparse import parse_date

from portal.audit import labels
from portal.audit.models import AuditEvent
from portal.catalogue import queries as catalogue
from portal.web.action_forms import ActionForm


def _verbs() -> list[tuple[str, str | list[tuple[str, str]]]]:
    """All verbs in words, grouped by what they are about."""
    groups: list[tuple[str, str | list[tuple[str, str]]]] = [("", "anything")]
    for noun, verbs in labels.grouped().items():
        name = labels.GROUPS.get(noun, noun)
        groups.append((name, [(f"{noun}.*", f"{name}: all"), *((verb.value, labels.label(verb)) for verb in verbs)]))
    return groups


def _deployments() -> list[tuple[str, str]]:
    return [("", "anywhere"), *((row.name, row.name) for row in catalogue.deployments_in_force())]


def _text(**more: str) -> forms.TextInput:
    return forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off", **more})


class AuditFilter(ActionForm):
    """Shows the filter in the address. `portal.audit.queries.Filters.parse` checks it, as in the API."""

    q = forms.CharField(
        label="Words", required=False, widget=_text(placeholder="Search: a person, a reason, a reference, a DAG")
    )
    actor = forms.CharField(label="Who", required=False, widget=_text())
    verb = forms.CharField(label="Did what", required=False, widget=forms.Select)
    target = forms.CharField(label="To what", required=False, widget=_text(placeholder="REQ-12"))
    about = forms.CharField(label="About", required=False, widget=_text(placeholder="person:employee"))
    deployment = forms.CharField(label="Where", required=False, widget=forms.Select)
    outcome = forms.CharField(label="Outcome", required=False, widget=forms.Select)
    since = forms.CharField(label="From", required=False, widget=_text())
    until = forms.CharField(label="To", required=False, widget=_text())

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        choices = {
            "verb": _verbs(),
            "deployment": _deployments(),
            "outcome": [("", "any"), *AuditEvent.Outcome.choices],
        }
        for name, offered in choices.items():
            self.fields[name].widget.choices = offered
        for name in ("since", "until"):
            text = str(self.data.get(name, ""))
            # an address may have a time instead of a day; a date picker would not show it
            self.fields[name].widget.input_type = "date" if not text or _is_day(text) else "text"

    @property
    def narrowing(self) -> list[forms.BoundField]:
        """All fields except the search words."""
        return [self[name] for name in self.fields if name != "q"]

    @property
    def is_narrowed(self) -> bool:
        return any(self.data.get(bound.name) for bound in self.narrowing)


def _is_day(text: str) -> bool:
    try:
        return parse_date(text) is not None
    except ValueError:
        return False
