"""The page /style: all components and their markup."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from accounts.guard import requires
from accounts.permissions import Permission
from portal.core import clock
from portal.ui.htmx import render
from portal.ui.request import Request

STATES = ["success", "success", "failed", "success", "running", "success", "success", "success", "failed", "success"]


class SampleForm(forms.Form):
    duration = forms.ChoiceField(
        error_messages={"required": "Choose for how long you need it."},
        label="For how long?",
        choices=[("1", "1 hour"), ("8", "8 hours"), ("24", "1 day")],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label="Why do you need it?",
        help_text="One or two sentences.",
        error_messages={"required": "Say why you need it."},
        widget=forms.Textarea,
    )
    ticket = forms.RegexField(
        "^OPS-[0-9]+$",
        label="Ticket",
        help_text="OPS- and a number, for example OPS-123.",
        error_messages={"invalid": "“OPS-” does not have the form OPS-123."},
    )
    start = forms.CharField(label="Start", required=False)
    sure = forms.BooleanField(label="This is an emergency. I know that the audit trail marks it as break-glass.")


def _runs(now: datetime) -> list[dict[str, Any]]:
    runs = []
    for place, state in enumerate(STATES):
        start = now - timedelta(hours=place)
        end = start + timedelta(seconds=40 + 17 * (place % 4))
        runs.append({"state": state, "started_at": start.isoformat(), "ended_at": end.isoformat()})
    return runs


@require_safe
@requires(Permission.HOME)
def style(request: Request) -> HttpResponse:
    now = clock.now()
    context = {
        "form": SampleForm(),
        "wrong": SampleForm({"duration": "8", "reason": "", "ticket": "OPS-", "start": "", "sure": ""}, prefix="wrong"),
        "tones": ["plain", "good", "waiting", "attention", "refused"],
        "now": now,
        "earlier": now - timedelta(hours=5, minutes=20),
        "later": now + timedelta(hours=2, minutes=40),
        "soon": now + timedelta(minutes=20),
        "span": timedelta(hours=8),
        "runs": _runs(now),
    }
    return render(request, "style/style.html", context)


urlpatterns = [path("style", style, name="style")]
