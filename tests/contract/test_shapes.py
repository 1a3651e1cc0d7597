"""What the fake says has the shape of what Airflow says: the same names, the same kinds of values."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from airflow_bridge import PasswordAuth, connect
from airflow_bridge.fake import FakeAirflow
from tests.contract.conftest import now
from tests.real_airflow import RealAirflow, unique

pytestmark = [pytest.mark.contract, pytest.mark.real_airflow]

RUN = "shape_of_a_run"


def ask(url: str, path: str, *, token: str = "", body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{url}{path}", data=data, headers=headers), timeout=30
    ) as answer:
        return json.load(answer)


def look(url: str, admin: tuple[str, str], run_id: str) -> dict[str, Any]:
    """One answer of every kind, by a name."""
    username, password = admin
    signed_in = ask(url, "/auth/token", body={"username": username, "password": password})
    token = signed_in["access_token"]
    dag = "/api/v2/dags/sales_report"
    return {
        "token": signed_in,
        "version": ask(url, "/api/v2/version"),
        **{
            name: ask(url, path, token=token)
            for name, path in {
                "users": "/auth/fab/v1/users?limit=1",
                "user": f"/auth/fab/v1/users/{username}",
                "roles": "/auth/fab/v1/roles?limit=1",
                "role": "/auth/fab/v1/roles/Viewer",
                "dags": "/api/v2/dags?limit=1",
                "details": f"{dag}/details",
                "runs": f"{dag}/dagRuns?limit=1",
                "run": f"{dag}/dagRuns/{run_id}",
                "tasks": f"{dag}/dagRuns/{run_id}/taskInstances?limit=1",
            }.items()
        },
    }


def differences(fake: Any, real: Any, where: str) -> list[str]:
    """Where the fake has a name that Airflow does not have, or another kind of value."""
    if fake is None or real is None:
        return []  # either may be unset
    if isinstance(fake, dict) and isinstance(real, dict):
        if where.endswith((".conf", ".params")):
            return []  # what the DAGs say
        unknown = [f"{where}.{name} is not Airflow's" for name in fake.keys() - real.keys()]
        known = fake.keys() & real.keys()
        return unknown + [line for name in known for line in differences(fake[name], real[name], f"{where}.{name}")]
    if isinstance(fake, list) and isinstance(real, list):
        return differences(fake[0], real[0], f"{where}[0]") if fake and real else []
    numbers = (int, float)
    same = type(fake) is type(real) or (isinstance(fake, numbers) and isinstance(real, numbers))
    return [] if same else [f"{where} is {type(fake).__name__}, Airflow's is {type(real).__name__}"]


def test_the_fake_has_airflows_shapes(real_airflow: RealAirflow) -> None:
    run_id = unique(RUN)
    answers = []
    with FakeAirflow() as fake:
        for server in (fake, real_airflow):
            admin = connect(name="x", url=server.url, api="v2", auth=PasswordAuth(*server.admin), timeout=30)
            admin.trigger("sales_report", dag_run_id=run_id, conf={"region": "KR"}, logical_date=now(), note="n")
            admin.close()
            answers.append(look(server.url, server.admin, run_id))
    assert differences(*answers, "answer") == []
