"""The forms of an existing request: its changed terms, and a comment."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.http import QueryDict

from portal.approvals import tickets
from portal.approvals.models import Comment, Request
from portal.approvals.tickets import MAX_TICKET
from portal.catalogue.document import PolicySpec
from portal.core import durations
from portal.core.text_checks import MAX_TEXT
from portal.web.action_forms import ActionForm

NO_ROUND = 0


def seen_round(data: Mapping[str, str] | None) -> int | None:
    """The round of the request that the page showed. None if the form does not say; NO_ROUND if it is not a number."""
    said = (data or {}).get("round", "")
    if not said:
        return None
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 6 else NO_ROUND


class TermsForm(ActionForm):
    """The terms of a returned request with a duration. The initial values are the present terms."""

    duration = forms.CharField(
        label="For how long?",
        max_length=80,
        error_messages={"required": "Enter a duration, for example 8 hours."},
        widget=forms.TextInput(attrs={"class": "short", "autocomplete": "off", "spellcheck": "false"}),
    )
    reason = forms.CharField(
        label="Why do you need it?", required=False, widget=forms.Textarea(attrs={"rows": 3, "maxlength": MAX_TEXT})
    )
    ticket = forms.CharField(label="Ticket", required=False, widget=forms.TextInput(attrs={"maxlength": MAX_TICKET}))

    def __init__(
        self, data: QueryDict | None = None, *, asked: Request, policy: PolicySpec, longest: timedelta
    ) -> None:
        span = durations.words(asked.duration) if asked.duration else ""
        initial = {"duration": span, "reason": asked.reason, "ticket": asked.ticket}
        super().__init__(data, auto_id="again_%s", initial=initial)
        most = durations.words(longest)
        self.fields["duration"].help_text = f"For example 30 minutes or 1 day; at most {most}."
        if policy.ticket:
            self.fields["ticket"].help_text = tickets.words(policy)
        else:
            del self.fields["ticket"]

    def clean_duration(self) -> Any:
        try:
            return durations.parse(self.cleaned_data["duration"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def given(self) -> dict[str, Any]:
        """The keyword arguments of the action. The form must be valid."""
        names = ("duration", "reason", "ticket")
        return {name: self.cleaned_data.get(name) for name in names} | {"round": seen_round(self.data)}


class CancelForm(ActionForm):
    reason = forms.CharField(
        label="Why you cancel it", required=False, widget=forms.Textarea(attrs={"rows": 2, "maxlength": MAX_TEXT})
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id="cancel_%s")


class CommentForm(ActionForm):
    key = forms.CharField(required=False, widget=forms.HiddenInput)
    text = forms.CharField(
        label="Comment", required=False, widget=forms.Textarea(attrs={"rows": 2, "maxlength": MAX_TEXT})
    )
    audience = forms.ChoiceField(
        label="Who reads it?", choices=Comment.Audience.choices, required=False, widget=forms.RadioSelect
    )

    def __init__(self, data: QueryDict | None = None, *, to_approvers: bool) -> None:
        """to_approvers: whether the page offers comments that only approvers and auditors can read."""
        super().__init__(data, auto_id="comment_%s", initial={"audience": Comment.Audience.ALL})
        self.fields["key"].initial = secrets.token_urlsafe(16)
        self.to_approvers = to_approvers
        self.fields["audience"].choices = [  # type: ignore[attr-defined]
            (Comment.Audience.ALL, "everybody who sees the request"),
            (Comment.Audience.APPROVERS, "only its approvers and auditors"),
        ]
        if not to_approvers:
            self.fields["text"].help_text = "Everybody who sees the request can read it. The audit trail keeps it."

    def given(self) -> dict[str, Any]:
        """The keyword arguments of the action. The form must be valid."""
        cleaned = self.cleaned_data
        audience = cleaned.get("audience") or Comment.Audience.ALL
        return {"text": cleaned["text"], "audience": audience, "key": cleaned["key"] or None}

    def field_of(self, name: str | None) -> str | None:
        return "text"
