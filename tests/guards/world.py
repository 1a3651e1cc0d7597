"""Test data with one thing of every kind that an address can name. Each thing belongs to one person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from accounts import tokens
from accounts.models import User
from airflow_bridge import LogLine
from portal.catalogue import queries as catalogue
from portal.dags import actions as dag_actions
from portal.dags.models import RunTasks, TaskLog
from portal.dags.runs import logs
from portal.dags.variables import changing
from tests.factories import PASSWORD, grant_at_status, permit, request_at_status, run_request, work_off

SECRET = "the quiet reason of an employee"


def world(cast: dict[str, User]) -> dict[str, list[Any]]:
    """By kind, the arguments for an address.

    employee has a request, a returned request, an approved run that starts later, a permit, a grant and a token.
    colleague has a run of sales_report, and has changed a variable.
    """
    request = request_at_status("pending", by="employee", entitlement="demo/role/User", reason=SECRET)
    grant = grant_at_status("active", by="employee", entitlement="demo/dag/sales_report/view", reason=SECRET)
    returned = request_at_status("returned", by="employee", entitlement="demo/dag/sales_report/operate", reason=SECRET)
    dag = catalogue.dags_in_force().get(dag_id="sales_report")
    run = dag_actions.trigger(by=cast["colleague"], dag=dag, conf={"region": "KR"}, note=SECRET)
    row = {"task": "publish", "mapped": False, "counts": {"failed": 1}, "failed": [], "tries": 1, "took": 1.0}
    RunTasks.objects.create(run=run, rows=[row], seen_at=timezone.now())
    kept = TaskLog.objects.create(run=run, task_id="publish", try_number=1)
    logs.store(kept, [LogLine(SECRET)], whole=True, ended=True)
    scheduled = run_request("approved", by="employee", reason=SECRET, start_at=timezone.now() + timedelta(hours=3))
    allowed = permit(by="employee", reason=SECRET)
    on = run.dag.deployment
    changing.change(by=cast["colleague"], deployment=on, key="report_mode", value="fast", reason=SECRET)
    work_off()
    token, _ = tokens.create(by=cast["employee"], name="script", scopes=["read"], days=7, password=PASSWORD)
    return {
        "": [],
        "request": [request.ref],
        "returned": [returned.ref],
        "scheduled": [scheduled.ref],
        "permit": [allowed.ref],
        "grant": [grant.ref],
        "run": [run.ref],
        "dag": ["demo", "sales_report"],
        "variable": ["demo", "report_mode"],
        "deployment": ["demo"],
        "token": [str(token.pk)],
    }


def url_of(name: str, kind: str, things: dict[str, list[Any]]) -> str:
    return reverse(name, args=things[kind])
