"""The one filter of the audit trail: an address, so that every view of it can be linked, narrowed and exported."""

from __future__ import annotations

from django import forms
from django.http import QueryDict
from django.utils.dateparse import parse_date

from portal.audit import labels
from portal.audit.models import AuditEvent
from portal.catalogue import queries as catalogue
from portal.core.errors import Invalid


def _verbs() -> list[tuple[str, str | list[tuple[str, str]]]]:
    """Every verb as people call it, under what it is about."""
    groups: list[tuple[str, str | list[tuple[str, str]]]] = [("", "anything")]
    for noun, verbs in labels.grouped().items():
        name = labels.GROUPS.get(noun, noun)
        groups.append((name, [(f"{noun}.*", f"{name}: all"), *((verb.value, labels.label(verb)) for verb in verbs)]))
    return groups


def _deployments() -> list[tuple[str, str]]:
    return [("", "anywhere"), *((row.name, row.name) for row in catalogue.deployments_in_force())]


def _text(**more: str) -> forms.TextInput:
    return forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off", **more})


class AuditFilter(forms.Form):
    """Shows what an address asks for. What can be asked is `audit.queries.Filters.parse`'s to say, as in the API."""

    use_required_attribute = False

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
            # an address may name a moment instead of a day; a date picker would drop it
            self.fields[name].widget.input_type = "date" if not text or _is_day(text) else "text"

    @property
    def narrowing(self) -> list[forms.BoundField]:
        """All but the words."""
        return [self[name] for name in self.fields if name != "q"]

    @property
    def is_narrowed(self) -> bool:
        return any(self.data.get(bound.name) for bound in self.narrowing)

    def take(self, error: Invalid) -> None:
        self.full_clean()
        for field, words in error.fields.items():
            self.add_error(field, words)


def _is_day(text: str) -> bool:
    try:
        return parse_date(text) is not None
    except ValueError:
        return False
