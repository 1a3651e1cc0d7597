"""What an approver enters: for how long, and in which words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.http import QueryDict

from portal import durations
from portal.errors import Invalid


class DecisionForm(forms.Form):
    """A form whose cleaned values are an action's keyword arguments."""

    name = ""  # under which the pane's template knows it
    use_required_attribute = False

    comment = forms.CharField(
        label="Comment",
        required=False,
        help_text="The requester reads this.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id=f"{self.name}_%s")

    def given(self) -> dict[str, Any]:
        return {"comment": self.cleaned_data["comment"]}

    def point(self) -> None:
        """Let the first field with something wrong take the focus."""
        for field in [name for name in self.errors if name in self.fields][:1]:
            self.fields[field].widget.attrs["data-focus"] = True

    def take(self, error: Invalid) -> None:
        """Show what an action found wrong at the fields it named."""
        for field, words in error.fields.items():
            self.add_error(field if field in self.fields else None, words)
        self.point()


class DenyForm(DecisionForm):
    name = "deny_form"

    comment = forms.CharField(
        label="Why you deny it",
        error_messages={"required": "Say why you deny it: the requester reads this."},
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class ApproveForm(DecisionForm):
    """An empty duration is the one that was asked for."""

    name = "approve_form"

    duration = forms.CharField(
        label="For",
        required=False,
        max_length=40,
        widget=forms.TextInput(attrs={"class": "short", "autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ["duration", "comment"]

    def offer(self, longest: timedelta) -> None:
        """Say what the longest possible time is, and begin with it."""
        self.initial["duration"] = durations.short(longest)
        self.fields["duration"].help_text = f"Like 30m, 4h or 1d 12h; at most the {durations.words(longest)} asked for."

    def clean_duration(self) -> timedelta | None:
        text = self.cleaned_data["duration"]
        if not text:
            return None
        try:
            return durations.parse(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def given(self) -> dict[str, Any]:
        return {**super().given(), "duration": self.cleaned_data["duration"]}
