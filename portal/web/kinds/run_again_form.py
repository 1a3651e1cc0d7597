"""The form that changes a returned request for a run and sends it again."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone

from portal.approvals import tickets
from portal.approvals.tickets import MAX_TICKET
from portal.catalogue.document import PolicySpec
from portal.core import bounds
from portal.core.errors import Invalid
from portal.core.text_checks import MAX_TEXT
from portal.dags.models import RunRequest
from portal.dags.parameters import conf
from portal.dags.parameters.frozen import canonical
from portal.dags.runs.starting import MAX_NOTE
from portal.web.action_forms import ActionForm
from portal.web.requests.answer_forms import seen_round
from portal.web.requests.forms import MINUTE_FORMAT


class RunAgainForm(ActionForm):
    """The terms of a returned request for a run. The initial values are the present terms."""

    conf = forms.CharField(
        label="Parameters",
        required=False,
        strip=False,
        help_text="A JSON object. Leave *** as it is to keep a hidden secret.",
        widget=forms.Textarea(attrs={"rows": 8, "class": "mono", "spellcheck": "false", "autocomplete": "off"}),
    )
    start_at = forms.DateTimeField(
        label="Start",
        required=False,
        error_messages={"invalid": "Enter a date and a time, for example 24/11/2026 09:00."},
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "class": "short-time"}, format=MINUTE_FORMAT),
    )
    note = forms.CharField(label="Note", required=False, widget=forms.TextInput(attrs={"maxlength": MAX_NOTE}))
    reason = forms.CharField(
        label="Why do you need it?", required=False, widget=forms.Textarea(attrs={"rows": 3, "maxlength": MAX_TEXT})
    )
    ticket = forms.CharField(label="Ticket", required=False, widget=forms.TextInput(attrs={"maxlength": MAX_TICKET}))

    def __init__(self, data: QueryDict | None = None, *, asked: RunRequest, policy: PolicySpec) -> None:
        names = ("start_at", "note", "reason", "ticket")
        initial = {name: getattr(asked, name) for name in names}
        initial["conf"] = json.dumps(asked.conf, indent=2, ensure_ascii=False)
        super().__init__(data, auto_id="again_%s", initial=initial)
        self._asked = asked
        zone = timezone.get_current_timezone_name()
        self.fields["start_at"].help_text = f"In {zone} time. Leave it empty to start as soon as approved."
        if policy.ticket:
            self.fields["ticket"].help_text = tickets.words(policy)
        else:
            del self.fields["ticket"]

    def clean_conf(self) -> dict[str, Any]:
        try:
            return conf.parse(self.cleaned_data["conf"])
        except Invalid as error:
            raise forms.ValidationError(error.detail) from None

    def clean_start_at(self) -> Any:
        start = self.cleaned_data["start_at"]
        return bounds.moment(start) if start else None

    def given(self) -> dict[str, Any]:
        """The keyword arguments of the action. Unchanged parameters are left out, so that hidden secrets stay."""
        cleaned = self.cleaned_data
        own = {"start_at": cleaned["start_at"], "note": cleaned["note"]}
        if canonical(cleaned["conf"]) != self._asked.conf_text:
            own["conf"] = cleaned["conf"]
        given = {name: cleaned.get(name) for name in ("reason", "ticket")}
        return {**given, "own": own, "round": seen_round(self.data)}

    def field_of(self, name: str | None) -> str | None:
        """An error of one parameter (`conf.month`) belongs to the field of all parameters."""
        return "conf" if name and name.startswith("conf.") else super().field_of(name)
