"""The form of the demo DAG every_param before real Airflows: every kind of parameter starts a run, unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_bridge import Airflow, PasswordAuth, connect
from portal.airflow import clients
from portal.catalogue.models import Dag
from portal.dags.models import Run
from portal.worker import runs
from tests import factories
from tests.contract.targets import MAIN
from tests.real_airflow import RealAirflow, RealAirflows, on
from tests.views.pages import Untouched

pytestmark = pytest.mark.django_db
EVERY = "/dags/demo/every_param"
# a value of each kind that is entered as text, and what Airflow must hold for it
ENTERED: dict[str, tuple[Any, Any]] = {
    "plain_number": ("2.5", 2.5),
    "optional_text": ("null", "null"),
    "multiline": ("one\r\n\r\ntwo", "one\n\ntwo"),
    "optional_yes_or_no": ("false", False),
    "optional_choice": ('"south"', "south"),
    "multi_choice": (['"west"', '"east"'], ["west", "east"]),
    "optional_day": ("2028-02-29", "2028-02-29"),
    "moment": ("2026-07-01T17:00", "2026-07-01T17:00:00+00:00"),
    "time_of_day": ("", None),
    "duration": ("P1DT2H", "P1DT2H"),
    "optional_lines": (" a\r\nb,c\r\n", [" a", "b,c"]),
    "numbers": ("[1.5, -2]", [1.5, -2]),
    "objects": ('[{"name": "ü"}]', [{"name": "ü"}]),
    "object": ("", None),
    "number_or_text": ('"1000"', "1000"),
    "switch_or_text": ("yes", "yes"),
    "text_or_object": ('{"a": [1]}', {"a": [1]}),
    "anything": ("17", 17),
}


@pytest.fixture(params=[pytest.param(name, marks=on(name)) for name in MAIN])
def real(request: pytest.FixtureRequest, real_airflows: RealAirflows) -> RealAirflow:
    return real_airflows.get(request.param)


@pytest.fixture
def airflow(real: RealAirflow, cast: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    """The administrator's own view of the Airflow that the deployment `demo` speaks to."""
    for name, account in zip(factories.SECRETS, (real.granter, real.runner), strict=True):
        monkeypatch.setenv(name, account[1])
    factories.offer(tmp_path, url=real.url, api=real.api)
    factories.look_at_all()
    runs.read_dag(Dag.objects.select_related("deployment").get(dag_id="every_param"))
    client = connect(name="demo", url=real.url, api=real.api, auth=PasswordAuth(*real.admin), timeout=30)
    yield client
    client.close()
    clients.close_all()


def test_every_kind_of_parameter_arrives_unchanged(airflow, client_as):
    client = client_as("colleague")
    known = airflow.dag("every_param").params
    # Airflow's own form sends every default; the portal does not know that of the password, so Airflow adds it
    defaults = {name: param.value for name, param in known.items() if name != "password"}

    def conf_of(**changed: Any) -> dict[str, Any]:
        sent = Untouched(client.get(EVERY).content.decode()).sent | changed
        answer = client.post(f"{EVERY}/runs", sent)
        assert answer.status_code == 302, answer.context["run_form"].errors
        factories.work_off()
        run = Run.objects.latest("created_at")
        there = airflow.run("every_param", run.dag_run_id)
        assert there is not None, run.operation.error
        return dict(there.conf)

    assert conf_of() == defaults
    entered = conf_of(
        **{f"param:{name}": typed for name, (typed, _) in ENTERED.items()}, **{"secret:text:/password": "ünsaid"}
    )
    assert entered == {**defaults, "password": "ünsaid", **{name: value for name, (_, value) in ENTERED.items()}}
    assert json.dumps(entered["numbers"]) == "[1.5, -2]"
