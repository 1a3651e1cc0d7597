"""The form of a run for generated schemas: it accepts what JSON Schema accepts, and never changes what was typed."""

from __future__ import annotations

import json
from html.parser import HTMLParser

from django import forms
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import FormatChecker, ValidationError
from jsonschema import validate as airflows_check

from portal.core.errors import Invalid
from portal.dags.parameters import validating
from portal.dags.parameters.declared import Declared, same
from portal.web.dags.controls.base import NOTHING, is_fixed
from portal.web.dags.controls.choosing import control
from portal.web.dags.run_form import RunForm

LINES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
TEXTS = (
    LINES
    | st.lists(LINES, max_size=4).map("\n".join)
    | st.sampled_from(
        [
            "",
            "\n",
            "\nx",
            "x\n",
            "a\r\nb\rc",
            '"',
            "'",
            "<b>&amp;",
            "</textarea>",
            "***x",
            "null",
            "1",
            "[]",
            " a ",
            "17:00:00",
            "2026-11-21",
        ]
    )
)
NUMBERS = st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(LINES, inner, max_size=3), max_leaves=6
)
FORMATS = ["date", "time", "date-time", "email", "multiline", "uri", "duration"]
MOMENTS = st.sampled_from(["2026-11-21T17:00:00+00:00", "2026-11-21T17:00:00.5Z", "2026-06-01T00:00:00+09:00"])


def some(**keywords):
    """Schemas with any of these keywords."""
    return st.fixed_dictionaries({}, optional=keywords)


STRINGS = some(
    format=st.sampled_from(FORMATS),
    minLength=st.integers(0, 3),
    maxLength=st.integers(2, 9),
    pattern=st.sampled_from(["^a", "[0-9]+$", "."]),
    examples=st.lists(TEXTS, min_size=1, max_size=3),
).map(lambda schema: {"type": "string", **schema})
NUMERIC = st.tuples(
    st.sampled_from(["integer", "number"]),
    some(minimum=st.integers(-5, 5), maximum=st.integers(0, 9), multipleOf=st.sampled_from([1, 2, 0.5])),
).map(lambda parts: {"type": parts[0], **parts[1]})
LISTS = some(
    items=st.sampled_from([{"type": "string"}, {"type": "integer"}, {"enum": ["a", "b"]}, {"minLength": 2}]),
    minItems=st.integers(0, 2),
    uniqueItems=st.booleans(),
    examples=st.lists(LINES, min_size=1, max_size=4, unique=True),
).map(lambda schema: {"type": "array", **schema})
OBJECTS = some(required=st.just(["a"]), properties=st.just({"a": {"type": "integer"}})).map(
    lambda schema: {"type": "object", **schema}
)
ONE_TYPE = STRINGS | NUMERIC | LISTS | OBJECTS | st.just({"type": "boolean"})
NULLABLE = ONE_TYPE.map(lambda schema: {**schema, "type": ["null", schema["type"]]})
SEVERAL = st.lists(
    st.sampled_from(["string", "integer", "number", "boolean", "array", "object"]), min_size=2, max_size=3, unique=True
)
SCHEMAS = st.one_of(
    st.just({}),
    ONE_TYPE,
    NULLABLE,
    st.lists(SCALARS, min_size=1, max_size=8).map(lambda values: {"enum": values}),
    st.lists(SCALARS, min_size=1, max_size=3).map(
        lambda values: {"enum": values, "type": ["string", "null", "number"]}
    ),
    st.just({"enum": [1.0, True, "a", None, [1]]}),
    SEVERAL.map(lambda kinds: {"type": kinds}),
    VALUES.map(lambda value: {"const": value}),
)
OFTEN = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


def accepts(schema, value) -> bool:
    try:
        airflows_check(value, schema, format_checker=FormatChecker())
    except ValidationError:
        return False
    return True


@OFTEN
@given(SCHEMAS, VALUES | MOMENTS)
def test_what_json_schema_accepts_is_accepted_and_nothing_else(schema, value):
    one = Declared("p", schema, has_default=False)
    if value == "***" or "***" in json.dumps(value):
        return  # the mark of a hidden secret has its own refusal
    problems = validating.problems({"p": one}, {"p": value}, undeclared=False)
    assert (problems == {}) is accepts(schema, value)


class Sent(HTMLParser):
    """The fields of a page as a browser sends them, untouched."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.query = QueryDict(mutable=True)
        self._area: str | None = None
        self._select: str | None = None
        self._first = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        name, value = given.get("name"), given.get("value") or ""
        if tag == "textarea":
            self._area, self._text, self._first = name, "", True
        elif tag == "select":
            self._select, self._options = name, []
        elif tag == "option" and self._select:
            self._options.append((value, "selected" in given))
        elif tag == "input" and name:
            if given.get("type") in ("radio", "checkbox"):
                if "checked" in given:
                    self.query.appendlist(name, given.get("value", "on"))
            else:
                self.query.appendlist(name, value.replace("\r", "").replace("\n", ""))  # one line, as browsers do

    def handle_data(self, data):
        if self._area is not None:
            if self._first and data.startswith("\n"):  # HTML drops the first line break
                data = data[1:]
            self._first = False
            self._text += data

    def handle_endtag(self, tag):
        if tag == "textarea" and self._area is not None:
            text = self._text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
            self.query.appendlist(self._area, text)
            self._area = None
        if tag == "select" and self._select:
            chosen = [value for value, selected in self._options if selected] or [self._options[0][0]]
            self.query.appendlist(self._select, chosen[-1])
            self._select = None


def form_of(schema, default, **more) -> RunForm:
    return RunForm(declared={"p": Declared("p", schema, default=default, **more)})


def sent_by_browser(form: RunForm) -> QueryDict:
    return Sent("".join(str(form[name]) for name in form.fields)).query


@OFTEN
@given(SCHEMAS, VALUES | MOMENTS)
def test_an_untouched_form_sends_exactly_the_defaults(schema, default):
    if not accepts(schema, default):
        return
    first = form_of(schema, default)
    form = RunForm(sent_by_browser(first), declared=first.declared)
    conf = form.conf()
    assert json.dumps(conf) == json.dumps({"p": default})
    assert first.begins_with() == {"p": default}


@OFTEN
@given(SCHEMAS, VALUES | MOMENTS)
def test_a_value_written_into_its_control_is_read_back(schema, value):
    """The values of an earlier run in a form whose defaults are others."""
    if not accepts(schema, value) or "const" in schema:
        return
    first = RunForm(declared={"p": Declared("p", schema, has_default=False)}, values={"p": value})
    form = RunForm(sent_by_browser(first), declared=first.declared, values={"p": value})
    assert form.is_json is first.is_json
    assert json.dumps(form.conf()) == json.dumps({"p": value})


@OFTEN
@given(SCHEMAS, VALUES)
def test_from_json_to_fields_no_value_is_changed(schema, value):
    """The fields do not begin with the DAG's default, and the values are not known when they are sent."""
    if not accepts(schema, value) or "const" in schema:
        return
    declared = {"p": Declared("p", schema, has_default=False)}
    first = RunForm(declared=declared, values={"p": value})
    sent = RunForm(sent_by_browser(first), declared=declared).conf()
    assert sent.keys() == {"p"}
    assert same(sent["p"], value)


@OFTEN
@given(STRINGS | LISTS | OBJECTS | SEVERAL.map(lambda kinds: {"type": kinds}), TEXTS)
def test_what_was_typed_comes_back_unchanged_after_an_error(schema, typed):
    declared, typed = {"p": Declared("p", schema, default=None)}, typed.replace("\r", "")
    if not isinstance(control(declared["p"], "x").field.widget, forms.Textarea):
        typed = typed.replace("\n", "")
    data = QueryDict(mutable=True)
    data.update({"mode": "form", "param:p": typed.replace("\n", "\r\n")})
    form = RunForm(data, declared=declared)
    form.show_errors(Invalid({"conf.p": "wrong"}))
    if isinstance(form["param:p"].field, forms.MultipleChoiceField):
        return
    again = sent_by_browser(form)["param:p"]
    assert again == typed.replace("\n", "\r\n")


@OFTEN
@given(SCHEMAS, st.booleans(), TEXTS)
def test_no_typed_text_breaks_the_form(schema, has_default, typed):
    """A text is read or refused in words; what is read is a JSON value."""
    one = Declared("p", schema, has_default=has_default)
    if is_fixed(one):
        return
    made = control(one, "x")
    typed_as = [typed] if isinstance(made.field, forms.MultipleChoiceField) else typed
    try:
        value = made.read(typed_as)
    except ValueError as error:
        assert str(error)
        return
    if value is not NOTHING:
        json.dumps(value)
