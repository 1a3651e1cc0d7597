"""The form that pauses or unpauses a DAG."""

from __future__ import annotations

from django import forms

from portal.web.action_forms import ActionForm


class SwitchForm(ActionForm):
    reason = forms.CharField(label="Reason", required=False, widget=forms.Textarea(attrs={"rows": 2}))
