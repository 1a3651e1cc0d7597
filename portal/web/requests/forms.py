"""The form of an access request: duration, reason, ticket and start."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone

from portal.access.queries import Option
from portal.approvals import tickets
from portal.approvals.tickets import MAX_TICKET
from portal.catalogue.models import Entitlement
from portal.core import bounds, durations
from portal.core.durations import DAY, HOUR, MINUTE
from portal.core.text_checks import MAX_TEXT
from portal.web.action_forms import ActionForm

COMMON = [timedelta(minutes=30), HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY]
CHIPS = 5
OTHER = "other"
UNITS = {"minutes": MINUTE, "hours": HOUR, "days": DAY}
MINUTE_FORMAT = "%Y-%m-%dT%H:%M"


def chips(longest: timedelta) -> list[timedelta]:
    """Some usual durations, and the longest allowed one."""
    usual = [span for span in COMMON if span < longest]
    return [*usual[-(CHIPS - 1) :], longest]


def first_choice(spans: list[timedelta], *, risky: bool) -> timedelta:
    """The preselected duration: about a working day; for high risk the shortest one."""
    return min(spans) if risky else min(spans, key=lambda span: abs(span - min(8 * HOUR, max(spans))))


class RequestForm(ActionForm):
    key = forms.CharField(required=False, widget=forms.HiddenInput)
    duration = forms.ChoiceField(
        label="For how long?", widget=forms.RadioSelect, error_messages={"required": "Choose for how long you need it."}
    )
    amount = forms.IntegerField(
        label="Duration",
        required=False,
        min_value=1,
        max_value=100_000,
        error_messages={
            "invalid": "Enter a whole number, for example 90.",
            "min_value": "Enter a whole number from 1.",
            "max_value": "Enter at most 100000.",
        },
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    unit = forms.ChoiceField(label="Unit", required=False, choices=[(name, name) for name in UNITS], initial="hours")
    starts_at = forms.DateTimeField(
        label="Start",
        required=False,
        error_messages={"invalid": "Enter a date and a time, for example 24/11/2026 09:00."},
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "class": "short-time"}, format=MINUTE_FORMAT),
    )
    reason = forms.CharField(
        label="Why do you need it?",
        required=False,
        help_text="One or two sentences: what you will do with it. Approvers read it; the audit trail keeps it.",
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": MAX_TEXT}),
    )
    ticket = forms.CharField(label="Ticket", required=False, widget=forms.TextInput(attrs={"maxlength": MAX_TICKET}))
    confirm = forms.BooleanField(
        label="This is an emergency. I know that the audit trail marks it as break-glass.",
        error_messages={"required": "Confirm that this is an emergency, or request other access."},
    )

    def __init__(self, data: QueryDict | None = None, *, option: Option, begin_with: timedelta | None = None) -> None:
        """begin_with: the duration that the catalogue preselects; None: `first_choice`."""
        super().__init__(data)
        self.fields["key"].initial = secrets.token_urlsafe(16)  # if the form is sent twice, it makes one request
        self.longest = option.entitlement.max_duration
        spans = sorted({*chips(self.longest), *([begin_with] if begin_with else [])})
        choices = [(durations.iso(span), durations.words(span)) for span in spans]
        self.fields["duration"].choices = [*choices, (OTHER, "other")]  # type: ignore[attr-defined]
        risky = option.entitlement.risk == Entitlement.Risk.HIGH
        self.fields["duration"].initial = durations.iso(begin_with or first_choice(spans, risky=risky))
        self.fields["duration"].help_text = f"At most {durations.words(self.longest)}."
        zone = timezone.get_current_timezone_name()
        self.fields["starts_at"].help_text = f"In {zone} time. Leave it empty to start as soon as possible."
        if option.policy.ticket:
            self.fields["ticket"].help_text = tickets.words(option.policy)
        else:
            del self.fields["ticket"]
        if option.policy.break_glass:
            del self.fields["starts_at"]  # emergency access always starts at once
        else:
            del self.fields["confirm"]

    def clean_starts_at(self) -> datetime | None:
        """Limit the start to times that every time zone can show. The action checks whether it is allowed."""
        start: datetime | None = self.cleaned_data["starts_at"]
        return bounds.moment(start).astimezone(timezone.get_current_timezone()) if start else None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("duration") == OTHER and "amount" not in self.errors and not cleaned.get("amount"):
            self.add_error("amount", "Enter a duration, for example 90 minutes.")
        return cleaned

    @cached_property
    def span(self) -> timedelta | None:
        """The chosen duration, also where the action refused it; None if it is missing or cannot be read."""
        if not self.is_bound:
            return durations.parse(str(self.fields["duration"].initial))
        self.is_valid()  # fills `cleaned_data`
        cleaned = self.cleaned_data
        if cleaned.get("duration") == OTHER:
            amount = cleaned.get("amount")
            return amount * UNITS[cleaned.get("unit") or "hours"] if amount else None
        return durations.parse(cleaned["duration"]) if cleaned.get("duration") else None

    def given(self) -> dict[str, Any]:
        """The keyword arguments of the action. The form must be valid."""
        start: datetime | None = self.cleaned_data.get("starts_at")
        return {
            "duration": self.span,
            "reason": self.cleaned_data["reason"],
            "ticket": self.cleaned_data.get("ticket", ""),
            "starts_at": start,
            "key": self.cleaned_data["key"] or None,
        }

    def field_of(self, name: str | None) -> str | None:
        if name == "duration" and self.cleaned_data.get("duration") == OTHER:
            return "amount"
        return super().field_of(name)
