"""Entries of [[dags]]: globs and tags, bounds, limits. Every mistake is refused with its key and the reason."""

import importlib

import pytest
from django.apps import apps

from portal.catalogue import freezes, loader
from portal.catalogue.document import Document
from portal.catalogue.mistakes import FileRefused
from portal.catalogue.models import Dag
from tests.unit.catalogue.texts import GOOD, line_of, with_change

FULL = """
bounds = { days_back = { type = "integer", maximum = 30 }, region = { anyOf = [{ const = "EU" }, { pattern = "^K" }] } }
undeclared = true
requester_param = "requested_by"
results = ["group.publish.report_url"]
one_at_a_time = true
freeze = [
  { from = 2026-12-24, until = "2027-01-02", except = ["group:leads"], why = "year-end close" },
  { from = 2026-12-24T10:00:00+02:00, until = "2026-12-24T09:00:00Z", why = "move" },
]
"""


def document(text):
    return loader.loads(text.encode(), name="gatehouse.toml").document


def named(text):
    """The good file with another name in its entry."""
    return with_change('dag = "sales_report"\nactions', f"{text}\nactions")


def mistake(text):
    with pytest.raises(FileRefused) as refusal:
        document(text)
    [found] = refusal.value.mistakes
    return found


def test_all_fields_of_an_entry():
    found = document(named('dag = "sales_*"') + FULL)
    assert found.dags[0].is_pattern
    assert Document.model_validate(found.as_json()) == found
    columns = found.dags[0].columns()
    assert columns["entry"] == "prod/sales_*"
    assert columns["bounds"]["days_back"] == {"type": "integer", "maximum": 30}
    assert columns["freeze"] == [
        {"from": "2026-12-24", "until": "2027-01-02", "except": ["group:leads"], "why": "year-end close"},
        {"from": "2026-12-24T08:00:00Z", "until": "2026-12-24T09:00:00Z", "except": [], "why": "move"},
    ]
    spans = [[moment.isoformat()[:16] for moment in freezes.span(freeze)] for freeze in columns["freeze"]]
    assert spans == [["2026-12-24T00:00", "2027-01-03T00:00"], ["2026-12-24T08:00", "2026-12-24T09:00"]]


def test_a_policy_of_break_glass_is_only_for_access():
    text = with_change("stages = []", "stages = []\nbreak_glass = true")
    found = mistake(text.replace('who = ["group:data"]', 'policy = "at-once"'))
    assert found.key == "dags[1].policy"
    assert "only for access" in found.reason


def test_a_locked_value_within_its_bounds():
    [spec] = document(GOOD + 'bounds = { env = { enum = ["prod", "test"] } }\n').dags
    assert spec.bounds == {"env": {"enum": ["prod", "test"]}}


def test_an_entry_by_tag():
    [spec] = document(named('dag_tag = "sales"')).dags
    assert (spec.key, spec.is_pattern) == ("prod/tag:sales", True)


def test_the_same_pattern_twice():
    entry = GOOD[GOOD.index("[[dags]]") :].replace('"sales_report"', '"sales_*"')
    found = mistake(GOOD + entry + entry)
    assert (found.key, found.reason) == ("dags[3]", "prod/sales_* is described twice, first as dags[2]; remove one.")


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ('dag = "sales_[ab]"', "dags[1].dag", "knows only * (any text) and ?"),
        ('dag = "sales/*"', "dags[1].dag", "a glob may also have * and ?"),
        ("", "dags[1]", 'dag = "sales_*" or dag_tag = "sales"'),
        ('dag = "a"\ndag_tag = "sales"', "dags[1]", "either for a name or for a tag"),
        ('dag_tag = " sales"', "dags[1].dag_tag", "no space around it"),
    ],
)
def test_mistakes_in_names(text, key, said):
    found = mistake(named(text))
    assert found.key == key
    assert said in found.reason


DEEP = "{ not = " * 9 + "{ type = 'null' }" + " }" * 9


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ("env = 30", "“env” takes a table of JSON Schema keywords"),
        ("env = {}", "“env” has no keyword"),
        ("days = { maxmum = 30 }", "“days.maxmum”: there is no such keyword. Did you mean “maximum”?"),
        ("days = { '$ref' = '#/x' }", "$ref is not possible here"),
        ("days = { items = { '$dynamicRef' = 'http://x' } }", "“days.items.$dynamicRef”"),
        ("days = { maximum = '30' }", "“days.maximum” takes a number"),
        ("days = { maximum = true }", "“days.maximum” takes a number"),
        ("days = { multipleOf = 0 }", "a number above 0"),
        ("days = { minLength = -1 }", "a whole number from 0 on"),
        ("days = { uniqueItems = 1 }", "takes true or false"),
        ("days = { required = 'x' }", "takes a list of names"),
        ("days = { minimum = 3, maximum = 2 }", "minimum is larger than maximum"),
        ("days = { pattern = '(?=x)' }", "“days.pattern”: look-ahead"),
        ("days = { anyOf = [{ pattern = '(' }] }", "“days.anyOf[1].pattern”: it is not a regular"),
        ("days = { type = 'int' }", "one or several of string"),
        ("days = { format = 'dat' }", "takes one of date, date-time"),
        ("days = { enum = [] }", "a list of the allowed values"),
        ("days = { const = 2026-01-01 }", "“days.const” is a date"),
        ("days = { properties = { x = 1 } }", "“days.properties.x” takes a table"),
        (f"days = {DEEP}", "nested more than 8 levels"),
        (f"days = {{ const = '{'x' * 17000}' }}", "at most 16 KiB"),
    ],
)
def test_mistakes_in_bounds(bounds, said):
    text = GOOD + f"bounds = {{ {bounds} }}\n"
    found = mistake(text)
    assert (found.key, found.line) == ("dags[1].bounds", line_of(text, "bounds = "))
    assert said in found.reason


WINDOW = 'from = 2026-12-24, until = 2026-12-25, why = "x"'
FROM = "dags[1].freeze[1].from"


def freeze(old, new):
    return f"freeze = [{{ {WINDOW.replace(old, new)} }}]"


@pytest.mark.parametrize(
    ("line", "key", "said"),
    [
        ('requester_param = ""', "dags[1].requester_param", "1 to 250 printable"),
        ('requester_param = "env"', "dags[1]", "is in locked too"),
        ('requester_param = "by"\nbounds = { by = { minLength = 2 } }', "dags[1]", "is in bounds too"),
        ('bounds = { env = { enum = ["test"] } }', "dags[1]", "“env” in locked is not within its bounds (enum)"),
        ('bounds = { env = { pattern = "^t" } }', "dags[1]", "“env” in locked is not within its bounds (pattern)"),
        ('results = ["publish"]', "dags[1].results[1]", "write the task and its key"),
        (freeze("2026-12-24", "2026-12-26"), "dags[1].freeze[1]", "until (2026-12-25) is not after from (2026-12-26)"),
        (freeze("2026-12-24", "2026-12-24T10:00:00"), FROM, "no time zone"),
        (freeze("2026-12-24", "5"), FROM, "takes a date"),
        (freeze("2026-12-24", "'24.12.2026'"), FROM, "not a date"),
        (freeze(', why = "x"', ""), "dags[1].freeze[1].why", "“why” is missing"),
        (freeze('"x"', '" "'), "dags[1].freeze[1].why", "the text is empty"),
        (freeze("from", "fron = 1, from"), "dags[1].freeze[1].fron", "Did you mean “from”?"),
        (freeze("from", 'except = ["group:x"], from'), "dags[1].freeze[1].except[1]", "no group “x”"),
    ],
)
def test_mistakes_in_limits(line, key, said):
    found = mistake(f"{GOOD}{line}\n")
    assert found.key == key
    assert said in found.reason


def test_rows_of_an_earlier_release_get_the_key_of_their_entry(staff, apply):
    apply()
    Dag.objects.update(entry="")
    importlib.import_module("portal.catalogue.migrations.0007_entry_of_each_dag").fill(apps, None)
    assert [dag.entry for dag in Dag.objects.all()] == ["prod/sales_report"]
