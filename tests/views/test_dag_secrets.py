"""Secret parameters of a run: entered in fields of their own, shown nowhere."""

from __future__ import annotations

import json

import pytest

from portal.catalogue.models import Dag
from portal.dags.models import Run
from portal.worker import runs
from tests.factories import work_off
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")

HTMX = {"HX-Request": "true"}
SALES = "/dags/demo/sales_report"


def dag(name: str = "sales_report") -> Dag:
    return Dag.objects.get(dag_id=name)


def start(client, conf: str = "{}", note: str = "", key: str = "one", **extra):
    return client.post(f"{SALES}/runs", {"conf": conf, "note": note, "key": key}, **extra)


SECRET_PARAMS = {
    "api_token": {"value": "hunter2", "schema": {"type": "string", "enum": ["hunter2", "hunter3"]}},
    "pin": {"value": "hunter4", "schema": {"type": "string", "format": "password", "default": "hunter4"}},
    "conn": {"value": {"host": "db1", "password": "hunter5"}, "schema": {"type": "object"}},
    "target": {"value": "postgres://reader:hunter6@db1/sales", "schema": {"type": "string"}},
}


def test_secret_defaults_are_neither_shown_nor_sent(client_as, airflow):
    airflow.state.dags["sales_report"].params |= SECRET_PARAMS
    runs.read_dag(dag())
    assert b"hunter" not in client_as("colleague").get(SALES).content
    response = client_as("colleague").get(SALES, {"view": "json"})
    assert b"hunter" not in response.content
    assert "a secret in Airflow, not shown" in Page(response).text
    assert '{"host": "db1", "password": "***"}' in Page(response).text
    begun = response.context["run_form"]["conf"].value()
    assert json.loads(begun).keys() == {"region", "dry_run", "date"}


@pytest.fixture
def secret_params(airflow):
    airflow.state.dags["sales_report"].params |= SECRET_PARAMS
    airflow.state.dags["sales_report"].params["code"] = {
        "value": None, "schema": {"type": ["null", "integer"], "writeOnly": True},
    }  # fmt: skip
    runs.read_dag(dag())


FIELDS = {"secret:text:/api_token", "secret:text:/pin", "secret:text:/conn/password", "secret:json:/code"}


def test_secrets_are_entered_in_fields_of_their_own(client_as, secret_params):
    page = Page(client_as("colleague").get(SALES))
    fields = page.all("input", type="password")
    assert {field["name"] for field in fields} == FIELDS
    assert all(not field.get("value") and field["autocomplete"] == "new-password" for field in fields)


def test_secrets_that_were_entered_reach_airflow_and_no_page(client_as, airflow, secret_params):
    client = client_as("colleague")
    entered = {"secret:text:/pin": " hunter7 ", "secret:json:/code": "4711081", "secret:text:/conn/password": "hunter8"}
    form = {"conf": '{"region": "EU", "conn": {"host": "db2"}}', "key": "secret", **entered}
    response = client.post(f"{SALES}/runs", form)
    work_off()
    run = Run.objects.get()
    there = {"region": "EU", "conn": {"host": "db2", "password": "hunter8"}, "pin": " hunter7 ", "code": 4711081}
    assert airflow.state.runs[0].conf == there
    assert run.conf == {**there, "conn": {"host": "db2", "password": "***"}, "pin": "***", "code": "***"}
    for address in (response["Location"], SALES, "/audit"):
        shown = client_as("auditor" if address == "/audit" else "colleague").get(address).content.decode()
        assert "hunter" not in shown and "4711081" not in shown


def test_what_was_entered_as_a_secret_stays_one_when_the_dag_no_longer_declares_it(client_as, airflow, secret_params):
    """The DAG changed between the page and the answer to it."""
    client = client_as("colleague")
    params = airflow.state.dags["sales_report"].params
    params |= {name: {**params[name], "schema": {}} for name in ("pin", "code")}
    runs.read_dag(dag())
    entered = {"secret:text:/pin": "hunter7", "secret:json:/code": "4711081"}
    client.post(f"{SALES}/runs", {"conf": '{"region": "EU"}', "note": "hunter7", "key": "one", **entered})
    run = Run.objects.get()
    assert (run.conf, run.note) == ({"region": "EU", "pin": "***", "code": "***"}, "***")
    work_off()
    assert airflow.state.runs[0].conf == {"region": "EU", "pin": "hunter7", "code": 4711081}
    shown = client.get(f"/runs/{run.ref}").content.decode() + client_as("auditor").get("/audit").content.decode()
    assert "hunter" not in shown and "4711081" not in shown


def test_running_again_names_the_parameters_that_are_not_taken_over(client_as, secret_params):
    Dag.objects.update(locked={"api_token": "hunter9"})
    client = client_as("colleague")
    start(client, '{"region": "EU", "conn": {"host": "db2", "password": "hunter8"}, "pin": "hunter7"}')
    response = client.get(SALES, {"again": Run.objects.get().ref, "view": "json"})
    said = "These parameters were not copied, because they are or may be secret: conn, pin . "
    said += "Enter them again, or the DAG’s defaults are used."
    assert said in Page(response).text and b"hunter" not in response.content
    begun = json.loads(response.context["run_form"]["conf"].value())
    assert begun == {"region": "EU", "dry_run": True, "date": "2026-11-21"}
    other = start(client, '{"region": "KR"}', key="two")["Location"].removeprefix("/runs/")
    text = Page(client.get(SALES, {"again": other})).text
    assert f"Filled in from {other}" in text and "not copied" not in text


@pytest.mark.parametrize(
    ("name", "entered", "said"),
    [
        ("secret:json:/code", "hunter", "Not valid JSON"),
        ("secret:text:/conn/password", "hunter7", "Add all of “conn” to the parameters"),
    ],
)
def test_a_secret_that_cannot_be_taken_is_said_at_its_field(client_as, secret_params, name, entered, said):
    response = client_as("colleague").post(f"{SALES}/runs", {"conf": "{}", "key": "one", name: entered})
    assert response.status_code == 422
    assert said in Page(response).text
    assert said in response.context["run_form"][name].errors[0]
    assert entered not in response.content.decode()
    assert not Run.objects.exists()


def test_a_fixed_secret_is_neither_shown_nor_asked_for(client_as, secret_params):
    locked = {"api_token": "hunter9", "target": "postgres://reader:hunter10@db1/sales"}
    Dag.objects.filter(pk=dag().pk).update(locked=locked)
    assert b"hunter" not in client_as("colleague").get(SALES, {"view": "json"}).content
    response = client_as("colleague").get(SALES)
    assert b"hunter" not in response.content
    assert "Fixed; you cannot change these: api_token hidden" in Page(response).text
    assert {field["name"] for field in Page(response).all("input", type="password")} == FIELDS - {
        "secret:text:/api_token"
    }
