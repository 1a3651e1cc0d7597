"""Odd values in the form of a run and in its links: refused in words, never an error of the server."""

from __future__ import annotations

import json

import pytest

from portal.catalogue.models import Dag
from portal.worker import runs

pytestmark = pytest.mark.usefixtures("airflow")

SALES = "/dags/demo/sales_report"
HALF = "\\ud800"  # in JSON: half of a character, which cannot be encoded
PARAMS = {
    "object": {"value": {}, "schema": {"type": "object"}},
    "size": {"value": 1, "schema": {"type": "integer"}},
    "moment": {"value": "2026-11-21T12:00:00+00:00", "schema": {"type": "string", "format": "date-time"}},
}
ODD = [
    {"object": f'"{HALF}"'},
    {"object": f'{{"a": "{HALF}"}}', "size": "abc"},
    {"object": f'{{"{HALF}": 1}}'},
    {"object": '{"a":' * 900 + "1" + "}" * 900},
    {"size": "9" * 900},
    {"moment": "0001-01-01T00:00:00+14:00"},
    {"moment": "9999-12-31T23:59:59-14:00"},
]


@pytest.fixture
def client(client_as, airflow):
    airflow.state.dags["sales_report"].params |= PARAMS
    runs.read_dag(Dag.objects.get(dag_id="sales_report"))
    return client_as("colleague")


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_an_odd_value_is_refused_in_the_form(client, odd):
    fields = {f"param:{name}": text for name, text in odd.items()}
    response = client.post(f"{SALES}/runs", fields)
    assert response.status_code == 422
    for show in ("json", "form"):
        assert client.post(f"{SALES}/form", {**fields, "show": show}).status_code in (200, 422)
    preflight = {"HX-Request": "true", "HX-Target": "preflight"}
    assert client.post(f"{SALES}/form", fields, headers=preflight).status_code == 200


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_an_odd_value_in_a_link_is_an_ordinary_page(client, odd):
    assert client.get(SALES, {f"conf.{name}": text for name, text in odd.items()}).status_code in (200, 422)


@pytest.mark.parametrize("default", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_default_outside_of_all_calendars_is_shown_as_text(client, airflow, default):
    airflow.state.dags["sales_report"].params["moment"]["value"] = default
    runs.read_dag(Dag.objects.get(dag_id="sales_report"))
    response = client.get(SALES)
    assert response.status_code == 200 and default in response.text


def test_the_other_view_of_the_form_does_not_show_an_entered_secret(client, airflow):
    airflow.state.dags["sales_report"].params["conn"] = {
        "value": {"host": "db1", "password": "hunter5"}, "schema": {"type": "object"},
    }  # fmt: skip
    runs.read_dag(Dag.objects.get(dag_id="sales_report"))
    sent = {"secret:text:/conn/password": "hunter7", "param:conn": '{"host": "db2"}', "show": "json"}
    response = client.post(f"{SALES}/form", sent)
    assert response.status_code == 200 and "hunter" not in response.text
    assert json.loads(response.context["run_form"]["conf"].value())["conn"] == {"host": "db2"}
