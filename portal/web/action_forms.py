"""The base of forms whose values an action checks, so that pages and API give the same errors."""

from __future__ import annotations

from typing import Any

from django import forms

from portal.core.errors import GatehouseError, Invalid


class ActionForm(forms.Form):
    """Keeps what was typed, and shows the errors of the action."""

    use_required_attribute = False

    def show_errors(self, error: GatehouseError) -> None:
        """Add the errors of an action, each to its field or above the form."""
        self.is_valid()  # begins the list of errors
        found = error.fields if isinstance(error, Invalid) else {None: error.detail}
        for name, words in found.items():
            self.add_error(self.field_of(name), words)

    def given(self) -> dict[str, Any]:
        """The keyword arguments of the action. The form must be valid."""
        raise NotImplementedError

    def field_of(self, name: str | None) -> str | None:
        """The field for an error of the action's argument `name`; None: above the form."""
        return name if name in self.fields else None
