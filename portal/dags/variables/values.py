"""Values of variables. A variable is a text in Airflow; the catalogue's schema says whether it is read as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema.exceptions import best_match

from portal.catalogue.variable_spec import form_of
from portal.core import bounds, integers, json_schema, strict_json
from portal.core.errors import Invalid
from portal.core.secrecy import HIDDEN, hidden_in, marks, mask, sounds_secret
from portal.dags.parameters import conf
from portal.dags.parameters.schema_words import refusal
from portal.dags.variables.offered import WHY_NO_SECRETS, Offered

LONGEST = 4000  # characters of a value


def is_json(schema: Mapping[str, Any]) -> bool:
    return form_of(schema) == "json"


def as_text(schema: Mapping[str, Any], value: Any) -> str:
    """A value as Airflow stores it."""
    return value if isinstance(value, str) and not is_json(schema) else json.dumps(value, ensure_ascii=False)


def given(schema: Mapping[str, Any], value: Any) -> str:
    """The text of a value from the API: a text as Airflow stores it, or a JSON value. Raises Invalid (`value`)."""
    if value is None:
        raise Invalid({"value": "Give the new value."})
    return value if isinstance(value, str) else as_text(schema, value)


def from_text(schema: Mapping[str, Any], text: str) -> Any:
    """The value of a text in Airflow. Raises Invalid (`value`) if the schema needs JSON and the text is none."""
    if not is_json(schema):
        return text
    try:
        return conf.parse_value(text)
    except Invalid as error:
        raise Invalid({"value": f"The value must be JSON. {error.detail}"}) from None


def check(variable: Offered, text: str) -> None:
    """Check a new value. Raises Invalid (`value`) with what is allowed."""
    if len(text) > LONGEST:
        raise Invalid({"value": f"The value has {len(text)} characters; at most {LONGEST} are possible."})
    if not bounds.is_storable(text):
        raise Invalid({"value": "The value holds a character that cannot be stored."})
    _check_secrets(text)
    allowed(variable, text)


def allowed(variable: Offered, text: str) -> Any:
    """The value of a text, if the schema allows it. Raises Invalid (`value`) with what is allowed."""
    value = from_text(variable.schema, text)
    try:
        wrong = json_schema.errors(dict(variable.schema), value)
    except json_schema.BadSchema as bad:
        raise Invalid({"value": f"The value cannot be checked: in the schema of {variable.key}, {bad}."}) from None
    if wrong:
        raise Invalid({"value": refusal(best_match(iter(wrong)))})
    return value


def without_secrets(value: str) -> str:
    """A value from Airflow as it may be stored: secrets in it are hidden.

    Airflow 3 hides them itself, Airflow 2 does not. A value without secrets is not changed.
    """
    try:
        known = json.loads(value, object_pairs_hook=strict_json.object_of)
    except ValueError:  # a text
        return str(mask(value))
    except (RecursionError, strict_json.GivenTwice):  # not all secrets in it could be found
        return HIDDEN
    shown = mask(known)
    return value if shown == known else json.dumps(shown, ensure_ascii=False)


def _integer(text: str) -> int:
    """Raises Invalid for a number that Airflow cannot pass to a task: a DAG may read the variable as JSON."""
    if len(text) > integers.LONGEST or not integers.fits(int(text)):
        raise Invalid({"value": f"The value holds {integers.TOO_LARGE}"})
    return int(text)


def _check_secrets(text: str) -> None:
    try:
        known = json.loads(text, parse_int=_integer, object_pairs_hook=strict_json.object_of)
    except ValueError:  # a text
        known = text
    except strict_json.GivenTwice as twice:
        raise Invalid({"value": f"In the value, “{twice.name[:80]}” is given twice."}) from None
    except RecursionError:
        raise Invalid({"value": "The value is nested too deeply to be checked for secrets."}) from None
    if any(True for _ in marks(known)):
        raise Invalid(
            {"value": f"The value holds {HIDDEN}, the mark for a hidden secret. Change such a variable in Airflow."}
        )
    for path, _ in hidden_in(known, mask(known)):
        name = next((f"“{step[:80]}”" for step in path if sounds_secret(step)), "a text")
        raise Invalid({"value": f"In the value, {name} {WHY_NO_SECRETS}"})
