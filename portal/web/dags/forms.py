"""The form that pauses or unpauses a DAG."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone

from portal.core import bounds
from portal.core.errors import Invalid
from portal.web.action_forms import ActionForm


class SwitchForm(ActionForm):
    reason = forms.CharField(label="Reason", required=False, widget=forms.Textarea(attrs={"rows": 2}))
    until = forms.DateTimeField(
        label="Until",
        required=False,
        error_messages={"invalid": "Enter a date and a time, for example 24/11/2026 09:00."},
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "class": "short-time"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = timezone.get_current_timezone_name()
        self.fields["until"].help_text = f"In {zone} time. Gatehouse unpauses the DAG then. Leave it empty for no end."

    @property
    def end(self) -> datetime | None:
        """When the pause ends; None for no end. Raises Invalid if it cannot be read."""
        if not self.is_valid() and "until" in self.errors:
            raise Invalid({"until": str(self.errors.pop("until")[0])})
        found: datetime | None = self.cleaned_data.get("until")
        return bounds.moment(found) if found else None
