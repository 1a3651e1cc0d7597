"""The forms of the profile page: how the portal looks to its owner, and tokens for their programs."""

from __future__ import annotations

import zoneinfo
from functools import cache
from typing import Any

from django import forms
from django.conf import settings

from accounts import tokens
from accounts.models import User
from portal.errors import GatehouseError, Invalid

THEMES = [("", "as the system"), ("light", "light"), ("dark", "dark")]
REGIONS = frozenset(
    ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
)
SCOPE_WORDS = {
    "read": "read: requests, grants, runs that you may see",
    "request": "request: ask for access, withdraw, hand back",
    "decide": "decide: approve, deny and revoke in your name",
    "operate": "operate: run and pause the DAGs you may operate",
    "audit": "audit: read, export and verify the trail",
}


@cache
def zones() -> list[str]:
    """The zones named after places, and UTC; without the aliases of older days."""
    regions = (
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    )
    return [
        "UTC",
        *sorted(name for name in zoneinfo.available_timezones() if name.startswith(tuple(f"{r}/" for r in regions))),
    ]


class PreferencesForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["timezone", "theme", "shortcuts"]

    use_required_attribute = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", f"the server's ({settings.TIME_ZONE})"), *((name, name.replace("_", " ")) for name in zones())]
        self.fields["timezone"] = forms.ChoiceField(label="Time zone", choices=choices, required=False)
        self.fields["timezone"].help_text = "All times are shown in this zone, with its name."
        self.fields["theme"] = forms.ChoiceField(
            label="Colours", choices=THEMES, required=False, widget=forms.RadioSelect
        )
        self.fields["theme"].widget.attrs["data-theme-choice"] = ""
        self.fields["shortcuts"].label = "Single-key shortcuts"
        self.fields["shortcuts"].help_text = "j, k, a and d in the queue, / for search."


class TokenForm(forms.Form):
    """Reads what was typed; what is allowed is the action's to say."""

    use_required_attribute = False

    name = forms.CharField(
        label="What is it for?",
        required=False,
        help_text="For example “nightly export”: so that you know later which one to revoke.",
        widget=forms.TextInput(attrs={"maxlength": 80, "autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(label="What may it do?", required=False, widget=forms.CheckboxSelectMultiple)
    days = forms.IntegerField(
        label="For how many days?",
        initial=30,
        help_text=f"1 to {tokens.MAX_DAYS}. After that it stops working by itself.",
        error_messages={"required": "Enter for how many days, like 30.", "invalid": "Enter a whole number, like 30."},
        widget=forms.NumberInput(attrs={"class": "short", "inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = [(scope, SCOPE_WORDS[scope]) for scope in tokens.allowed_scopes(user)]
        self.fields["scopes"].choices = scopes  # type: ignore[attr-defined]

    def take(self, error: GatehouseError) -> None:
        """Show what the action found wrong: at the fields it named, or above the form."""
        found = error.fields if isinstance(error, Invalid) else {None: error.detail}
        for field, words in found.items():
            self.add_error(field if field in self.fields else None, words)
