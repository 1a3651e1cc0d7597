"""The forms of a DAG's page: start a run, pause or unpause."""

from __future__ import annotations

from typing import Any

from django import forms

from portal.errors import GatehouseError, Invalid


class ActionForm(forms.Form):
    """Keeps what was typed. What is wrong with it is the action's to say, so that page and API say the same."""

    use_required_attribute = False

    def take(self, error: GatehouseError) -> None:
        """Show what an action found wrong: at the fields it named, or above the form."""
        self.full_clean()
        found = error.fields if isinstance(error, Invalid) else {None: error.detail}
        for field, words in found.items():
            self.add_error(field if field in self.fields else None, words)


class RunForm(ActionForm):
    conf = forms.CharField(
        label="Parameters",
        required=False,
        strip=False,
        help_text="A JSON object. What you leave out keeps the DAG's own default.",
        widget=forms.Textarea(
            attrs={"rows": 10, "class": "mono", "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}
        ),
    )
    note = forms.CharField(
        label="Note",
        required=False,
        help_text="Shown in Airflow beside the run, with your name and the portal's reference.",
        widget=forms.TextInput(attrs={"maxlength": 500, "autocomplete": "off"}),
    )
    key = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def given(self) -> dict[str, Any]:
        return {"note": self.data.get("note", ""), "key": self.data.get("key", "")[:64]}


class SwitchForm(ActionForm):
    reason = forms.CharField(label="Reason", required=False, widget=forms.Textarea(attrs={"rows": 2}))
