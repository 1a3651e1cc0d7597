"""Values of parameters in words."""

from __future__ import annotations

from typing import Any

from portal.dags.declared import Declared
from portal.dags.schema_words import shown
from portal.web.dags.controls.base import value_label


def value_words(one: Declared, value: Any) -> str:
    """A value of a parameter for people: as the DAG calls it, else as text or JSON."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and value and all(isinstance(item, str | int | float) for item in value):
        return shown_text(", ".join(value_label(one, item) for item in value))
    if isinstance(value, str | int | float) or value is None:
        return shown_text(value_label(one, value))
    return shown(value)


def default_words(one: Declared) -> str:
    return "hidden" if one.is_secret else value_words(one, one.default)


def shown_text(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:120]}…"
