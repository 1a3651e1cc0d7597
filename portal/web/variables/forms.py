"""The form of a new value, made from the variable's schema like a field of a run's form."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.http import QueryDict

from portal.approvals import tickets
from portal.approvals.tickets import MAX_TICKET
from portal.catalogue.document import PolicySpec
from portal.core.errors import Invalid
from portal.core.text_checks import MAX_TEXT
from portal.dags.models import VariableRequest
from portal.dags.parameters.declared import Declared
from portal.dags.variables import values
from portal.dags.variables.offered import Offered
from portal.web.action_forms import ActionForm
from portal.web.dags.controls.base import NOTHING, Control, one_line_break
from portal.web.dags.controls.choosing import control
from portal.web.dags.controls.showing import can_write
from portal.web.requests.answer_forms import seen_round

ANY_TEXT = {"type": "string", "format": "multiline"}


class VariableForm(ActionForm):
    """A new value with its reason. begin_with: the text of Airflow that the field shows first; None: nothing."""

    key = forms.CharField(required=False, widget=forms.HiddenInput)
    reason = forms.CharField(
        label="Why do you change it?", required=False, widget=forms.Textarea(attrs={"rows": 3, "maxlength": MAX_TEXT})
    )
    ticket = forms.CharField(label="Ticket", required=False, widget=forms.TextInput(attrs={"maxlength": MAX_TICKET}))

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        variable: Offered,
        begin_with: str | None,
        policy: PolicySpec | None = None,
        **options: Any,
    ) -> None:
        super().__init__(data, **options)
        self._variable = variable
        self.fields["key"].initial = uuid.uuid4().hex
        begun = _known(variable, begin_with)
        self._control = _control(variable, begun)
        self.fields["value"] = self._control.field
        if begun is not NOTHING and can_write(self._control, begun):
            self.initial["value"] = self._control.write(begun)
        self.order_fields(["value", "reason", "ticket"])
        if policy is not None and policy.ticket:
            self.fields["ticket"].help_text = tickets.words(policy)
        else:
            del self.fields["ticket"]

    def value(self) -> str:
        """The entered value, as Airflow stores it. Raises Invalid (`value`) if it cannot be read."""
        typed = self["value"].data
        typed = self._control.tidy(one_line_break(typed)) if isinstance(typed, str) else "" if typed is None else typed
        try:
            found = self._control.read(typed)
        except ValueError as error:
            raise Invalid({"value": str(error)}) from None
        if found is NOTHING or found is None:
            found = ""
        if found == "" and values.is_json(self._variable.schema):
            raise Invalid({"value": "Enter a value."})
        return values.as_text(self._variable.schema, found)

    def given(self) -> dict[str, Any]:
        """The arguments that a change and a request have in common. Raises Invalid (`value`)."""
        return {"value": self.value(), "reason": self.data.get("reason", "")}

    def asked(self) -> dict[str, Any]:
        """The further arguments of a request."""
        return {"ticket": self.data.get("ticket", ""), "form": self.data.get("key", "") or None}


class VariableAgainForm(VariableForm):
    """The terms of a returned request for a change. The initial values are the present terms."""

    def __init__(
        self, data: QueryDict | None = None, *, asked: VariableRequest, variable: Offered, policy: PolicySpec
    ) -> None:
        initial = {"reason": asked.reason, "ticket": asked.ticket}
        super().__init__(
            data, variable=variable, begin_with=asked.value, policy=policy, auto_id="again_%s", initial=initial
        )
        del self.fields["key"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        try:
            cleaned["own"] = {"value": self.value()}
        except Invalid as error:
            self.add_error("value", error.fields["value"])
        return cleaned

    def given(self) -> dict[str, Any]:
        """The keyword arguments of the action. The form must be valid."""
        cleaned = self.cleaned_data
        given = {name: cleaned.get(name, "") for name in ("reason", "ticket")}
        return {**given, "own": cleaned["own"], "round": seen_round(self.data)}


def _known(variable: Offered, text: str | None) -> Any:
    """The value of a text of Airflow; NOTHING if there is none or the schema does not allow it."""
    if text is None:
        return NOTHING
    try:
        return values.allowed(variable, text)
    except Invalid:
        return NOTHING


def _control(variable: Offered, begun: Any) -> Control:
    has_value = begun is not NOTHING
    one = Declared(variable.key, variable.schema or ANY_TEXT, begun if has_value else "", has_default=has_value)
    found = control(one, "value")
    found.field.label = "New value"
    return found
