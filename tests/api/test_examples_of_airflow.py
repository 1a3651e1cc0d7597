"""The example DAGs with parameters of Airflow 3.3.2: their forms send what Airflow's own trigger form sends.

Its form keeps all parameters with their values and sends all of them (airflow/ui, useParamStore of 3.3). The data has
the names, defaults and rules of airflow/example_dags; texts for people are left out or replaced.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from portal.catalogue.models import Dag
from portal.dags.models import Run
from portal.worker import runs
from tests.api.conftest import refused
from tests.factories import work_off
from tests.views.pages import Untouched

pytestmark = pytest.mark.django_db
EXAMPLES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "params_of_airflow_3_3_2.json").read_text()
)
DAG = "/dags/demo/sales_report"
TUTORIAL = "example_params_ui_tutorial"
NEEDED = {"required_field": "now it has ten"}  # a value that only a person can give
SECRET = {"hidden_secret_field"}  # by its name; its default is not known here, so Airflow uses it


@pytest.fixture(params=EXAMPLES)
def example(request, airflow):
    name = request.param
    airflow.state.dags["sales_report"].params = EXAMPLES[name]
    runs.read_dag(Dag.objects.select_related("deployment").get(dag_id="sales_report"))
    return name


@pytest.fixture
def tutorial(airflow):
    airflow.state.dags["sales_report"].params = EXAMPLES[TUTORIAL]
    runs.read_dag(Dag.objects.select_related("deployment").get(dag_id="sales_report"))


def untouched(client) -> dict[str, list[str]]:
    return Untouched(client.get(DAG).content.decode()).sent


def test_the_untouched_form_sends_what_airflows_form_sends(client_as, airflow, example):
    client, params = client_as("colleague"), EXAMPLES[example]
    sent = untouched(client)
    needed = {name: value for name, value in NEEDED.items() if name in params}
    if needed:
        answer = client.post(f"{DAG}/runs", sent)
        assert (answer.status_code, Run.objects.count()) == (422, 0)
        assert b"required_field" in answer.content and b"needs a value" in answer.content
    sent |= {f"param:{name}": [value] for name, value in needed.items()}
    answer = client.post(f"{DAG}/runs", sent)
    assert answer.status_code == 302, answer.context["run_form"].errors
    work_off()
    defaults = {name: param["value"] for name, param in params.items() if name not in SECRET}
    assert airflow.state.runs[0].conf == {**defaults, **needed}


# a value that each rule of the tutorial forbids: (parameter, as it is typed, as JSON)
FORBIDDEN = [
    ("most_loved_number", "129", 129),
    ("most_loved_number", "-1", -1),
    ("most_loved_number", "1.5", 1.5),
    ("pick_one", '"value 99"', "value 99"),
    ("date_time", "2026-13-01T00:00:00", "yesterday"),
    ("duration", "15 minutes", "15 minutes"),
    ("date", "2026-02-30", "2026-02-30"),
    ("time", "25:00:00", "25:00:00"),
    ("required_field", "short", "short"),
    ("required_field", "x" * 31, "x" * 31),
    ("pick_with_label", "10", 10),
    ("array_of_numbers", '[1, "two"]', [1, "two"]),
    ("object", "[1]", [1]),
    ("array_of_objects", '[{"country_name": "KR"}]', [{"country_name": "KR"}]),
    ("batch_size", "[1]", [1]),
    ("notify", None, 5),
    ("priority", None, True),
]


@pytest.mark.parametrize(("name", "typed", "value"), FORBIDDEN)
def test_each_rule_is_kept_on_the_page_and_by_the_api(client_as, as_, tutorial, name, typed, value):
    needed = dict(NEEDED)
    problem = refused(
        as_("colleague").post(f"{DAG}/runs", {"conf": {**needed, name: value}}), 422, "invalid", f"conf.{name}"
    )
    assert name in problem["fields"][f"conf.{name}"]
    if typed is not None and name != "batch_size":  # a field that takes text too takes any text
        client = client_as("colleague")
        sent = untouched(client) | {f"param:{one}": [text] for one, text in needed.items()} | {f"param:{name}": [typed]}
        answer = client.post(f"{DAG}/runs", sent)
        assert answer.status_code == 422
        assert f"param:{name}" in answer.context["run_form"].errors
        assert f"({name})".encode() in answer.content or f"{name}".encode() in answer.content
    assert Run.objects.count() == 0
