"""The controls of a run's form: for each parameter, how its value is shown, entered and read.

The choice of the control, and the value that is sent, are those of Airflow 3's trigger form for the same parameter
(airflow/ui/src/components/FlexibleForm of 3.3). An empty field is null where the schema allows null.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from django import forms
from django.forms.boundfield import BoundField
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from portal.core import json_schema
from portal.core.errors import Invalid
from portal.dags import conf
from portal.dags.declared import Declared, same
from portal.dags.schema_words import TYPES, in_words, shown, types

FEW = 5  # choices that are shown as radio buttons; more of them as a list
MOST_BOXES = 30  # check boxes; more entries are entered one per line
SCALARS = (str, int, float, bool, type(None))
YES = ("true", "1", "yes", "on")  # in a link
NOTHING = object()
"""The parameter is left out: the DAG's default applies."""


class ParamBound(BoundField):
    """A field of a parameter. Its HTML id has no characters of the parameter's name, which may hold any."""

    @property
    def auto_id(self) -> str:
        return str(self.field.html_id)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Control:
    """How one parameter is entered.

    write: a value as the text of the field; a list of texts for check boxes, a bool for a switch. read: the value for
    it; raises ValueError with the reason. prefill: the text of the field for a text in a link. hint: what to enter;
    None: the schema in words. tidy: the text as `write` writes it, because browsers leave out zero seconds.
    """

    field: forms.Field
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    prefill: Callable[[list[str]], Any] = lambda texts: texts[-1]
    hint: str | None = None
    tidy: Callable[[str], str] = str


def control(one: Declared, html_id: str) -> Control:
    """The control for a parameter that is neither fixed nor entered as a secret."""
    found = _choose(one)
    if one.has_default and not one.hidden and not _can_write(found, one.default):  # a default of another type
        found = _json(one)
    found.field.label = one.title
    found.field.required = False
    found.field.html_id = html_id  # type: ignore[attr-defined]
    if hasattr(found.field, "suggestions"):
        found.field.widget.attrs["list"] = f"{html_id}-list"
    found.field.bound_field_class = ParamBound
    found.field.help_text = _help(one, found.hint)
    return found


def _can_write(made: Control, value: Any) -> bool:
    try:
        made.write(value)
    except (TypeError, ValueError, AttributeError):
        return False
    return True


def can_show(made: Control, value: Any) -> bool:
    """Whether the untouched field sends `value`, if it begins with it. Else the value needs the JSON text."""
    if not _can_write(made, value):
        return False
    if isinstance(made.field.widget, forms.Select) or type(made.field.widget) is forms.RadioSelect:
        return True  # a value that is no option any more: nothing is chosen
    try:
        sent = made.read(_as_sent(made.field, made.write(value)))
    except ValueError:
        return False
    if isinstance(made.field.widget, forms.DateTimeInput) and _moment(value):
        return _moment(sent) == _moment(value)
    return sent is not NOTHING and json.dumps(sent, sort_keys=True) == json.dumps(value, sort_keys=True)


def _as_sent(field: forms.Field, written: Any) -> Any:
    """What a browser sends of a field with this text: an option or a line, whatever the text was."""
    if isinstance(field, forms.MultipleChoiceField):
        return [text for text, _ in cast(list[tuple[str, str]], field.choices) if text in written]
    if isinstance(written, str) and not isinstance(field.widget, forms.Textarea):
        return written.replace("\r", "").replace("\n", "")
    return written.replace("\r\n", "\n").replace("\r", "\n") if isinstance(written, str) else written


def is_fixed(one: Declared) -> bool:
    """Whether the parameter is shown without a control: Gatehouse or the DAG's schema sets its value."""
    return one.is_fixed or "const" in one.schema


def is_nullable(one: Declared) -> bool:
    kinds = types(one.schema)
    enum = one.schema.get("enum")
    return "null" in kinds or (isinstance(enum, list) and None in enum) or (not kinds and one.default is None)


def _choose(one: Declared) -> Control:
    schema = one.schema
    kinds = [kind for kind in types(schema) if kind != "null"]
    if isinstance(enum := schema.get("enum"), list) and enum and _are_scalars(enum):
        return _choice(one, enum)
    if len(kinds) > 1:
        return _of_several_types(one, kinds)
    kind = kinds[0] if kinds else _type_of(one.default)
    if one.hidden and kind in ("array", "object"):
        return _json(one)
    return {
        "boolean": _switch,
        "array": _list,
        "object": _json,
        "integer": _number,
        "number": _number,
    }.get(kind, _text_by_format)(one)


def _type_of(value: Any) -> str:
    named = {bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}
    return named.get(type(value), "string")


def _are_scalars(values: Any) -> bool:
    return all(isinstance(value, SCALARS) for value in values)


# --- choices ---------------------------------------------------------------------------------------------------------
def _choice(one: Declared, values: list[Any]) -> Control:
    nullable = is_nullable(one)
    options = [(json.dumps(value), value_label(one, value)) for value in values if value is not None]
    if nullable:
        options.append(("null", value_label(one, None) if None in values else "none"))
    elif not one.has_default:
        options.insert(0, ("", "choose one"))
    widget = forms.RadioSelect() if len(options) <= FEW and options[0][0] else forms.Select()
    field = forms.CharField(widget=widget)
    field.widget.choices = options
    known = {text for text, _ in options}
    return Control(
        field,
        lambda value: next((json.dumps(other) for other in values if same(value, other)), json.dumps(value)),
        lambda text: _from_json(text) if text else _empty(one),
        lambda texts: _option(texts[-1], known),
        hint="",
    )


def _option(text: str, known: Collection[str]) -> str:
    """The option for a text in a link: its JSON, or a text without quotes."""
    return text if text in known else json.dumps(text)


def value_label(one: Declared, value: Any) -> str:
    """A value as the DAG calls it (`values_display`), else as text."""
    names = one.schema.get("values_display")
    key = value if isinstance(value, str) else json.dumps(value)
    if isinstance(names, Mapping):
        name = names.get(key, names.get("None") if value is None else None)
        if isinstance(name, str):
            return name
    return "none" if value is None else str(key)


def _switch(one: Declared) -> Control:
    if not is_nullable(one):
        return Control(forms.BooleanField(), bool, bool, lambda texts: texts[-1].lower() in YES, hint="")
    return _choice(one, [True, False, None])


def _list(one: Declared) -> Control:
    items = one.schema.get("items")
    items = items if isinstance(items, Mapping) else {}
    options = next(
        (found for found in (one.schema.get("examples"), one.schema.get("enum"), items.get("enum")) if _is_pick(found)),
        None,
    )
    default = one.default if isinstance(one.default, list) else []
    if options is not None and _are_scalars(default) and len({shown(value) for value in default}) == len(default):
        return _several(one, options, default)
    lines = all(isinstance(value, str) and "\n" not in value for value in default)
    return _lines(one) if lines and items.get("type") in (None, "string") else _json(one)


def _is_pick(options: Any) -> bool:
    return isinstance(options, list | tuple) and 0 < len(options) <= MOST_BOXES and _are_scalars(options)


def _several(one: Declared, options: Any, default: list[Any]) -> Control:
    """Check boxes. A default that is no option becomes one, because examples are only suggestions."""
    known = [value for value in options if value is not None]
    known += [value for value in default if value not in known]
    field = forms.MultipleChoiceField(
        choices=[(json.dumps(value), value_label(one, value)) for value in known], widget=forms.CheckboxSelectMultiple
    )
    empty: list[Any] | None = None if is_nullable(one) else []

    def read(texts: list[str]) -> Any:
        values = [_from_json(text) for text in texts]
        if one.has_default and isinstance(one.default, list) and sorted(texts) == sorted(map(json.dumps, default)):
            return one.default  # in the DAG's order
        return values or empty

    texts_of = {json.dumps(value) for value in known}
    return Control(
        field,
        lambda value: [json.dumps(item) for item in value or []],
        read,
        lambda texts: [_option(text, texts_of) for text in texts if text],
        hint="",
    )


def _lines(one: Declared) -> Control:
    field = forms.CharField(strip=False, widget=_area(5))

    def read(text: str) -> Any:
        found = [line for line in text.split("\n") if line]
        return found or (None if is_nullable(one) else [])

    return Control(field, lambda value: "\n".join(value or []), read, "\n".join, "One entry per line.")


# --- numbers and texts -----------------------------------------------------------------------------------------------
def _number(one: Declared) -> Control:
    mode = "numeric" if "integer" in types(one.schema) else "decimal"
    field = forms.CharField(widget=forms.TextInput(attrs={"class": "short", "inputmode": mode, "autocomplete": "off"}))

    def read(text: str) -> Any:
        if not (typed := text.strip()):
            return _empty(one)
        try:
            value = _from_json(typed)
        except ValueError:
            value = None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"“{typed[:60]}” is not a number. Enter one like 17 or 2.5.")
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return Control(field, lambda value: "" if value is None else json.dumps(value), read)


def _empty(one: Declared) -> Any:
    """The value of an empty field: null, or nothing where a value is needed."""
    return None if is_nullable(one) or one.has_default else NOTHING


def _text_by_format(one: Declared) -> Control:
    schema = one.schema
    form = schema.get("format")
    default = one.default if isinstance(one.default, str) else ""
    if form == "multiline" or "\n" in default or "\r" in default:
        return _text(one, _area(5))
    if form in ("date", "time") and default and json_schema.errors({"format": form}, default):
        return _text(one, forms.TextInput())  # a browser would leave the field of a date empty
    if form == "date":
        return _text(one, forms.DateInput(attrs={"type": "date", "class": "short-time"}))
    if form == "time":
        return _time(one)
    if form == "date-time" and (not one.default or _moment(one.default)):
        return _moment_field(one)
    kinds = {"email": "email", "uri": "url"}
    attrs: dict[str, Any] = {"autocomplete": "off", "spellcheck": "false"}
    if form in kinds:
        attrs["inputmode"] = kinds[form]
    if isinstance(most := schema.get("maxLength"), int) and not isinstance(most, bool) and 0 < most < 100_000:
        attrs["maxlength"] = max(most, len(one.default) if isinstance(one.default, str) else 0)
    return _text(one, forms.TextInput(attrs=attrs))


def _text(one: Declared, widget: forms.Widget) -> Control:
    field = forms.CharField(strip=False, widget=widget)
    examples = one.schema.get("examples")
    if isinstance(examples, list | tuple) and _are_scalars(examples):
        field.suggestions = [str(value) for value in examples if value is not None]  # type: ignore[attr-defined]

    def read(text: str) -> Any:
        return text if text else _empty_text(one)

    return Control(field, _as_text, read)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _empty_text(one: Declared) -> Any:
    if is_nullable(one):
        return None
    return "" if one.has_default else NOTHING


def _time(one: Declared) -> Control:
    made = _text(one, forms.TimeInput(attrs={"type": "time", "step": "1", "class": "short-time"}))

    return Control(made.field, made.write, made.read, tidy=lambda text: f"{text}:00" if len(text) == 5 else text)


def _moment_field(one: Declared) -> Control:
    """A moment in the reader's time zone. It is sent in UTC, as Airflow's form does."""
    field = forms.CharField(
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1", "class": "short-time"})
    )

    def write(value: Any) -> str:
        moment = _moment(value)
        return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M:%S") if moment else str(value or "")

    def read(text: str) -> Any:
        if not text.strip():
            return _empty_text(one)
        moment = parse_datetime(text.strip()) if text.isascii() else None
        if moment is None:
            raise ValueError(f"“{text[:60]}” is not a date and time. Enter one like 2026-11-21T17:00:00.")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.get_current_timezone())
        return moment.astimezone(UTC).isoformat()

    return Control(field, write, read, hint=f"In {timezone.get_current_timezone_name()} time.", tidy=_with_seconds)


def _with_seconds(text: str) -> str:
    return f"{text}:00" if len(text) == len("2026-11-21T12:00") else text


def _moment(value: Any) -> datetime | None:
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


# --- JSON ------------------------------------------------------------------------------------------------------------
def _json(one: Declared) -> Control:
    field = forms.CharField(strip=False, widget=_area(6, mono=True))

    def read(text: str) -> Any:
        if not text.strip():
            return NOTHING if one.hidden else _empty(one)
        return _from_json(text)

    def write(value: Any) -> str:
        return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)

    if one.hidden:
        hint = "Holds secrets, which are not shown. If it is empty, the DAG's default applies."
    else:
        kind = "list" if "array" in types(one.schema) or isinstance(one.default, list) else "object"
        hint = f"A JSON {kind}."
    return Control(field, write, read, hint=hint)


def _of_several_types(one: Declared, kinds: list[str]) -> Control:
    """A text field: JSON if its type is allowed, else a text if that is allowed."""
    field = forms.CharField(strip=False, widget=_area(3, mono=True))

    def read(text: str) -> Any:
        if not text.strip():
            return _empty(one)
        try:
            value = _from_json(text)
        except ValueError:
            value = NOTHING
        if value is not NOTHING and _is_one_of(value, kinds):
            return value
        if "string" in kinds:
            return text
        raise ValueError(f"Enter {' or '.join(TYPES.get(kind, kind) for kind in kinds)}, as JSON.")

    named = " or ".join(TYPES.get(kind, kind) for kind in kinds)
    return Control(field, _as_text, read, hint=f"{named[:1].upper()}{named[1:]}, as JSON.")


def _is_one_of(value: Any, kinds: list[str]) -> bool:
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return True
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    name = names.get(type(value), "null")
    return name in kinds or (name == "integer" and "number" in kinds)


def _area(rows: int, *, mono: bool = False) -> forms.Textarea:
    attrs = {"rows": rows, "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}
    return forms.Textarea(attrs=attrs | ({"class": "mono"} if mono else {}))


def _from_json(text: str) -> Any:
    """The JSON value of a text. Raises ValueError in words, with the place of the mistake."""
    try:
        return conf.parse_value(text)
    except Invalid as error:
        raise ValueError(error.detail) from None


# --- words -----------------------------------------------------------------------------------------------------------
def _help(one: Declared, hint: str | None) -> str:
    """The DAG's description of the parameter, and what it accepts if the control does not show it."""
    described = one.schema.get("description") or one.schema.get("description_md") or ""
    rule = _rule(one) if hint is None else hint
    return " ".join(filter(None, [str(described)[:1000], "" if rule in str(described) else rule]))


def _rule(one: Declared) -> str:
    """The schema in words, without those that the control itself shows."""
    without_null = [kind for kind in types(one.schema) if kind != "null"]
    words = in_words({**one.schema, "type": without_null})
    plain = ("text", "any JSON value", "text of several lines", "true or false")
    if words in plain or one.schema.get("format") in ("date", "time"):
        return ""
    return f"{words[:1].upper()}{words[1:]}."
