"""Whether a control can show a value, so that the untouched field sends exactly that value."""

from __future__ import annotations

import json
from typing import Any, cast

from django import forms

from portal.web.dags.controls.base import NOTHING, Control
from portal.web.dags.controls.texts import moment_of


def can_write(made: Control, value: Any) -> bool:
    try:
        made.write(value)
    except (TypeError, ValueError, AttributeError):
        return False
    return True


def can_show(made: Control, value: Any) -> bool:
    """Whether the untouched field sends `value`, if it begins with it. Else the value needs the JSON text."""
    if not can_write(made, value):
        return False
    if isinstance(made.field.widget, forms.Select) or type(made.field.widget) is forms.RadioSelect:
        return True  # a value that is no option any more: nothing is chosen
    try:
        sent = made.read(_as_sent(made.field, made.write(value)))
    except ValueError:
        return False
    if isinstance(made.field.widget, forms.DateTimeInput) and moment_of(value):
        return moment_of(sent) == moment_of(value)
    return sent is not NOTHING and json.dumps(sent, sort_keys=True) == json.dumps(value, sort_keys=True)


def _as_sent(field: forms.Field, written: Any) -> Any:
    """What a browser sends of a field with this text: an option or a line, whatever the text was."""
    if isinstance(field, forms.MultipleChoiceField):
        return [text for text, _ in cast(list[tuple[str, str]], field.choices) if text in written]
    if isinstance(written, str) and not isinstance(field.widget, forms.Textarea):
        return written.replace("\r", "").replace("\n", "")
    return written.replace("\r\n", "\n").replace("\r", "\n") if isinstance(written, str) else written
