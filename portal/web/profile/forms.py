"""The forms of the profile page: preferences, tokens and password."""

from __future__ import annotations

import zoneinfo
from functools import cache
from typing import Any

from django import forms
from django.conf import settings

from accounts import tokens
from accounts.models import User
from portal.web.action_forms import ActionForm

THEMES = [("", "as the system"), ("light", "light"), ("dark", "dark")]
REGIONS = frozenset(
    ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
)
SCOPE_WORDS = {
    "read": "read: see your requests, your access, and what you may request or operate",
    "request": "request: request access, withdraw requests, hand back access",
    "decide": "decide: approve, deny and revoke in your name",
    "operate": "operate: run and pause the DAGs you may operate, and see their runs",
    "audit": "audit: read, export and verify the trail; with read, see other people's access",
}


@cache
def zones() -> list[str]:
    """UTC and the time zones that are named after places, without old aliases."""
    placed = tuple(f"{region}/" for region in REGIONS)
    return ["UTC", *sorted(name for name in zoneinfo.available_timezones() if name.startswith(placed))]


class PreferencesForm(forms.Form):
    use_required_attribute = False

    timezone = forms.ChoiceField(
        label="Time zone",
        required=False,
        help_text="All times are shown in this zone, with its name.",
    )
    theme = forms.ChoiceField(
        label="Colours",
        choices=THEMES,
        required=False,
        widget=forms.RadioSelect(attrs={"data-theme-choice": ""}),
    )
    shortcuts = forms.BooleanField(
        label="Single-key shortcuts", required=False, help_text="j, k, a and d in the queue, / for search."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", f"the server's ({settings.TIME_ZONE})"), *((name, name.replace("_", " ")) for name in zones())]
        self.fields["timezone"].choices = choices  # type: ignore[attr-defined]


class TokenForm(ActionForm):
    name = forms.CharField(
        label="What is it for?",
        required=False,
        help_text="For example “nightly export”. The name tells you later which token to revoke.",
        widget=forms.TextInput(attrs={"maxlength": 80, "autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(label="What may it do?", required=False, widget=forms.CheckboxSelectMultiple)
    days = forms.IntegerField(
        label="For how many days?",
        initial=30,
        help_text=f"1 to {tokens.MAX_DAYS}. Then the token expires.",
        error_messages={
            "required": "Enter a number of days, for example 30.",
            "invalid": "Enter a whole number, for example 30.",
        },
        widget=forms.NumberInput(attrs={"class": "short", "inputmode": "numeric"}),
    )
    password = forms.CharField(
        label="Your password",
        required=False,
        strip=False,
        help_text="Needed again because a token stays valid after you sign out.",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = [(scope, SCOPE_WORDS[scope]) for scope in tokens.allowed_scopes(user)]
        self.fields["scopes"].choices = scopes  # type: ignore[attr-defined]


class PasswordForm(ActionForm):
    current = forms.CharField(
        label="Current password",
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label="New password",
        required=False,
        strip=False,
        help_text="At least 12 characters. A few words in a row are easy to remember.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="New password again",
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.pop("again", "") != cleaned.get("new"):
            self.add_error("again", "The two passwords are different.")
        return cleaned
