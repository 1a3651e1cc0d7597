"""The forms of a decision: approve, approve for less, deny."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.http import QueryDict

from portal.audit.verbs import Verb
from portal.core import durations
from portal.core.errors import GatehouseError
from portal.web.action_forms import ActionForm
from portal.web.requests.answer_forms import seen_round
from portal.web.requests.forms import CHIPS, COMMON


class DecisionForm(ActionForm):
    """A decision on a request. name: of the form in the template's context."""

    refusal: Verb  # the event of a refused decision
    name = ""

    comment = forms.CharField(
        label="Comment",
        required=False,
        help_text="The requester reads this.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id=f"{self.name}_%s")

    def given(self) -> dict[str, Any]:
        return {"comment": self.cleaned_data["comment"], "round": seen_round(self.data)}

    def focus_first_error(self) -> None:
        """The first field with an error takes the focus."""
        for field in [name for name in self.errors if name in self.fields][:1]:
            self.fields[field].widget.attrs["data-focus"] = True

    def show_errors(self, error: GatehouseError) -> None:
        super().show_errors(error)
        self.focus_first_error()


class DenyForm(DecisionForm):
    name = "deny_form"
    refusal = Verb.REQUEST_DENY_REFUSED

    comment = forms.CharField(
        label="Why you deny it",
        error_messages={"required": "Say why you deny it. The requester reads this."},
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class ReturnForm(DecisionForm):
    name = "return_form"
    refusal = Verb.REQUEST_RETURN_REFUSED

    comment = forms.CharField(
        label="What should be changed?",
        error_messages={"required": "Say what should be changed. The requester reads this."},
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class ApproveForm(DecisionForm):
    """The duration is typed (`duration`) or chosen (`less`).

    The button for the full time sends neither field. The form “Approve for less” always sends `duration`.
    """

    name = "approve_form"
    refusal = Verb.REQUEST_APPROVE_REFUSED
    has_chips = False

    less = forms.CharField(label="For how long?", required=False, max_length=40, widget=forms.RadioSelect)
    duration = forms.CharField(
        label="Other duration",
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"class": "short", "autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ["less", "duration", "comment"]

    def offer(self, longest: timedelta) -> None:
        """Offer durations shorter than `longest`, the longest of them preselected. The full time has its own button."""
        shorter = [span for span in COMMON if span < longest][-CHIPS:]
        self.fields["less"].widget.choices = [(durations.iso(span), durations.words(span)) for span in shorter]
        example = f"For example 30 minutes or 1 hour 30 minutes; at most {durations.words(longest)}."
        if shorter:
            self.has_chips = True
            self.initial["less"] = durations.iso(shorter[-1])
            example = f"{example} It replaces the choice above."
        else:
            self.fields["duration"].label = "For how long?"
        self.fields["duration"].help_text = example

    def clean(self) -> dict[str, Any]:
        """Parse the duration. The action checks whether it is allowed."""
        cleaned: dict[str, Any] = super().clean() or {}
        text = cleaned.get("duration", "") or cleaned.get("less", "")
        cleaned["duration"] = None
        if not text and "duration" in self.data and not self.errors:
            self.add_error("duration", "Enter a duration, for example 30 minutes, or use the button for the full time.")
        if text:
            try:
                cleaned["duration"] = durations.parse(text)
            except ValueError as error:
                self.add_error("duration", str(error))
        return cleaned

    def given(self) -> dict[str, Any]:
        return {**super().given(), "duration": self.cleaned_data["duration"]}
