"""What the form of a run says about each parameter: its title, its description, what it accepts, where it stands."""

from __future__ import annotations

import pytest
from django.http import QueryDict

from portal.core.secret_schema import Place
from portal.dags.parameters import validating
from portal.dags.parameters.declared import Declared
from portal.web.dags.controls.choosing import control
from portal.web.dags.descriptions import description
from portal.web.dags.run_form import RunForm
from tests.views.pages import Page


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("Rows, or **all** of __them__.", "Rows, or all of them."),
        (
            "See [the *table*](https://example.com/a_b) for `all_rows`.",
            "See the table (https://example.com/a_b) for all_rows.",
        ),
        ("# Region\n\nA _favourite_ one,\nas in sales_by_region.", "Region A favourite one, as in sales_by_region."),
        ("2 * 3 * 4 and **open", "2 * 3 * 4 and **open"),
        ("<b>bold</b>", "<b>bold</b>"),
        (None, ""),
    ],
)
def test_markdown_is_shown_as_plain_text(said, plain):
    assert description({"description_md": said}) == plain


def test_a_description_that_is_no_markdown_stays_as_it_is():
    assert description({"description": "all * files", "description_md": "**no**"}) == "all * files"


@pytest.mark.parametrize(
    ("schema", "default", "hint"),
    [
        ({"type": "array"}, ["a"], "One entry per line."),
        ({"type": "array", "minItems": 2}, ["a", "b"], "A list, at least 2 entries; one entry per line."),
        (
            {"type": "array", "items": {"type": "string", "format": "email"}},
            [],
            "A list of e-mail addresses; one entry per line.",
        ),
        ({"type": "array", "items": {"type": "number"}}, [1], "A JSON list of numbers."),
        ({"type": "object"}, {}, "A JSON object."),
        ({"type": ["integer", "string"]}, 1, "Whole number or text. In double quotes, it is always a text."),
        ({"type": ["string", "object"]}, "a", "Text or object as JSON. In double quotes, it is always a text."),
        ({"type": ["integer", "array"]}, 1, "Whole number or list as JSON."),
        ({"type": "string", "examples": ["a", "b"]}, "a", "Suggestions: a, b."),
        ({"type": "string", "format": "email", "title": "E-mail address"}, "a@example.com", ""),
        ({"type": "string", "format": "email", "title": "Owner"}, "a@example.com", "E-mail address."),
    ],
)
def test_what_a_field_accepts_is_said_above_it(schema, default, hint):
    assert control(Declared("p", schema, default=default), "p").field.help_text == hint


@pytest.mark.parametrize("text", ["17", '"quoted"', "true", "[1]", "word", "two\nlines"])
def test_a_text_among_several_types_stays_a_text(text):
    made = control(Declared("p", {"type": ["string", "integer", "boolean", "array"]}, default=1), "p")
    assert made.read(made.write(text)) == text


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"type": "string", "format": "date"}, "", "Day (p): This value is empty: enter a date, like 2026-11-21."),
        ({"type": ["null", "integer"]}, 1.5, "Day (p): 1.5 is not possible: enter a whole number or null."),
    ],
)
def test_an_error_says_what_to_enter(schema, value, said):
    one = Declared("p", {**schema, "title": "Day"}, has_default=False)
    assert validating.problems({"p": one}, {"p": value}, undeclared=False) == {"conf.p": said}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ('{"a": 1\r\n\r\n  "b": 2}', "line 3, column 3: Expecting ',' delimiter. This is after “{\"a\": 1”."),
        ('{"a": "%s" 1}' % ("x" * 50), f'This is after “…{"x" * 39}"”.'),
        ("}", "Not valid JSON at line 1, column 1: Expecting value."),
    ],
)
@pytest.mark.usefixtures("airflow")
def test_a_mistake_in_json_is_shown_with_the_text_before_it(client_as, typed, said):
    answer = client_as("colleague").post("/dags/demo/sales_report/runs", {"conf": typed, "key": "one"})
    error = answer.context["run_form"]["conf"].errors[0]
    assert error.endswith(said)
    answer = client_as("colleague").post("/dags/demo/every_param/runs", {"param:plain_object": typed, "key": "two"})
    assert answer.context["run_form"]["param:plain_object"].errors == [error]


def secret_form(data: str | None = None, **more: object) -> RunForm:
    password = {
        "type": "string",
        "format": "password",
        "title": "Password",
        "description": "Of the mail box.",
        "section": "Mail",
    }
    declared = {
        "sender": Declared("sender", {"type": "string", "section": "Mail"}, default="a"),
        "code": Declared("code", password, hidden=True, is_secret=True, **more),
        "receiver": Declared("receiver", {"type": "string", "section": "Mail"}, default="b"),
    }
    places = [Place(("code",), text=True), Place(("sender", "key"), text=True)]
    return RunForm(None if data is None else QueryDict(data), declared=declared, places=places)


def test_a_secret_stands_where_the_dag_puts_it():
    form = secret_form()
    (section,) = form.sections
    assert [row.bound.label for row in section.rows] == ["sender", "Password", "receiver"]
    assert (
        section.rows[1].bound.help_text
        == "Of the mail box. Secret; not shown again. If empty, the DAG's default applies."
    )
    assert (section.is_open, [field.label for field in form.secrets]) == (False, ["sender.key"])
    assert [field.label for field in secret_form("conf={}").secrets] == ["Password", "sender.key"]


def test_a_secret_without_a_default_is_asked_for_at_its_field():
    form = secret_form(has_default=False)
    row = form.sections[0].rows[1]
    assert (row.needs_value, row.optional) == (True, False)
    assert row.bound.help_text == "Of the mail box. Secret; not shown again."
    assert form.field_of("conf.code") == row.bound.name


@pytest.mark.usefixtures("airflow")
def test_the_page_of_a_refused_run_is_below_dags(client_as):
    refused = client_as("colleague").post("/dags/demo/sales_report/runs", {"conf": "{", "key": "one"})
    assert refused.status_code == 422
    assert Page(refused).all("a", href="/dags", **{"aria-current": "true"})


@pytest.mark.usefixtures("airflow")
def test_an_error_names_its_parameter_in_the_summary_and_not_below_the_label(client_as):
    answer = client_as("colleague").post("/dags/demo/every_param/runs", {"param:whole_number": "11", "key": "one"})
    said = "11 is too large: at most 10 is allowed."
    assert answer.context["run_form"]["param:whole_number"].errors == [said]
    assert f"Whole number: {said}" in Page(answer).text


@pytest.mark.parametrize("typed", ["many", "11"])  # one that cannot be read, one that the schema refuses
@pytest.mark.usefixtures("airflow")
def test_all_errors_are_shown_at_once(client_as, typed):
    sent = {
        "param:whole_number": typed,
        "param:number": "2",
        "reason": "",
        "start_at": "2020-01-01T00:00",
        "key": "one",
    }
    answer = client_as("employee").post("/dags/demo/every_param/runs", sent)
    assert {"param:whole_number", "param:number", "reason", "start_at"} <= answer.context["run_form"].errors.keys()


@pytest.mark.usefixtures("airflow")
def test_a_start_that_cannot_be_read_is_shown_with_the_other_errors(client_as):
    sent = {"param:whole_number": "many", "start_at": "soon", "key": "one"}
    answer = client_as("colleague").post("/dags/demo/every_param/runs", sent)
    assert {"param:whole_number", "start_at"} <= answer.context["run_form"].errors.keys()
