"""Forms on the page of a run."""

from __future__ import annotations

from django import forms

from portal.dags.runs.run_actions import MAX_REASON
from portal.web.action_forms import ActionForm


class ChangeForm(ActionForm):
    """A reason to cancel or retry a run."""

    reason = forms.CharField(
        label="Reason", required=False, widget=forms.Textarea(attrs={"rows": 2, "maxlength": MAX_REASON})
    )

    def field_of(self, name: str | None) -> str | None:
        return None if name == "tasks" else super().field_of(name)
