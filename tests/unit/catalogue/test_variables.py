"""The entries `variables` of a deployment: bare names and tables, and each mistake with the way out."""

from __future__ import annotations

import importlib

import pytest
from django.apps import apps

from accounts.operator import Operator
from portal.catalogue import loader, plan
from portal.catalogue.actions import apply
from portal.catalogue.document import Document
from portal.catalogue.mistakes import FileRefused
from portal.catalogue.models import CatalogueVersion, Deployment
from portal.catalogue.staffing import warnings
from portal.catalogue.variable_spec import form_of
from tests.unit.catalogue.texts import GOOD, with_change


def loaded(entries: str) -> loader.Loaded:
    text = with_change("[groups]", f"variables = [{entries}]\n[groups]")
    return loader.loads(text.encode(), name="gatehouse.toml")


def variables(entries: str):
    return loaded(entries).document.deployments["prod"].variables


def test_a_bare_name_is_short_for_a_table():
    [bare] = variables('"report_mode"')
    assert bare.as_json() == {"key": "report_mode", "schema": {}, "description": "", "who": []}
    [table] = variables('{ key = "report_mode" }')
    assert table == bare


def test_a_stored_document_of_an_earlier_release_is_read():
    document = loader.loads(GOOD.encode(), name="x").document.as_json()
    document["deployments"]["prod"]["variables"] = ["report_mode"]
    [bare] = Document.model_validate(document, context={"stored": True}).deployments["prod"].variables
    assert bare.key == "report_mode"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('"a/b"', "no slash"),
        ('"db_password"', "sounds like a secret"),
        ('"x", "x"', "named twice"),
        ('{ key = "x", schema = { mininum = 3 } }', "Did you mean “minimum”?"),
        ('{ key = "x", schema = { minimum = 3 } }', 'its schema needs type = "string" or one of integer'),
        ('{ key = "x", schema = { type = ["string", "integer"] } }', "its schema needs type"),
        ('{ key = "x", schema = { type = "integer", minimum = 9, maximum = 3 } }', "no value is allowed"),
        ('{ key = "x", schema = { type = "string", pattern = "(" } }', "x"),
        ('{ key = "x", who = ["sales"] }', "group:<name>"),
        ('{ key = "x", who = ["group:nobody"] }', "no group “nobody” in this file"),
        ('{ key = "x", policy = "one-led" }', "Did you mean “one-lead”?"),
        ('{ key = "x", whom = [] }', "Did you mean “who”?"),
        ("{ who = [] }", "key"),
    ],
)
def test_a_mistake_is_refused_with_the_way_out(entry, words):
    with pytest.raises(FileRefused, match="variables") as refusal:
        loaded(entry)
    assert words in str(refusal.value)


def test_a_break_glass_policy_is_only_for_access():
    text = with_change("[groups]", 'variables = [{ key = "x", policy = "emergency" }]\n[groups]')
    text += '\n[policies.emergency]\nmay_request = ["group:data"]\nstages = []\nbreak_glass = true\n'
    with pytest.raises(FileRefused, match="is a break-glass policy, which is only for access"):
        loader.loads(text.encode(), name="x")


@pytest.mark.parametrize(
    ("schema", "form"),
    [
        ({}, "text"),
        ({"type": "string", "maxLength": 5}, "text"),
        ({"enum": ["a", "b"]}, "text"),
        ({"const": "a"}, "text"),
        ({"type": "integer"}, "json"),
        ({"type": ["number", "null"]}, "json"),
        ({"enum": [1, 2]}, "json"),
        ({"type": "object", "properties": {}}, "json"),
    ],
)
def test_the_schema_says_how_a_value_is_written(schema, form):
    assert form_of(schema) == form


def test_a_plan_names_what_changes(staff, tmp_path):
    before, after = loaded('"a"'), loaded('"a", { key = "b", schema = { enum = ["x"] }, who = ["group:data"] }')
    version = CatalogueVersion(number=1, sha256="1", source="", document=before.document.as_json(), applied_by="root")
    version.save()
    [line] = plan.plan(after, version).lines
    assert line == "~ deployment prod: variables a → a, b (schema enum x, who group:data)"


def test_people_who_are_not_there_are_said(staff):
    found = list(warnings(loaded('{ key = "x", who = ["user:nobody"] }').document))
    assert "user:nobody is not in Gatehouse yet (manage.py person add)." in found


def test_applying_stores_the_entries(staff, tmp_path):
    file = tmp_path / "gatehouse.toml"
    file.write_text(with_change("[groups]", 'variables = ["a", { key = "b", policy = "one-lead" }]\n[groups]'))
    apply(by=Operator("tests"), path=file)
    assert [(one["key"], one.get("policy")) for one in Deployment.objects.get(name="prod").variables] == [
        ("a", None),
        ("b", "one-lead"),
    ]


def test_names_of_an_earlier_release_become_entries(catalogue):
    Deployment.objects.update(variables=["a", {"key": "b"}])
    migration = importlib.import_module("portal.catalogue.migrations.0008_variables_with_schemas")
    migration.names_to_entries(apps, None)
    assert Deployment.objects.get().variables == [
        {"key": "a", "schema": {}, "description": "", "who": []},
        {"key": "b"},
    ]
