"""Test data: the cast, the catalogue, and requests and grants that the real actions bring to a status.

cast = people()                      # also the fixture `cast`; needs a database
offer(folder)                        # puts the demo's catalogue in force
request = request_at_status("approved", entitlement="demo/role/Op")
grant = grant_at_status("active")    # needs an Airflow, such as the fixture `airflow`
work_off()                           # executes all due operations, like the workers; attempt(pk): one operation
look_at_all(), look_at_dags(), read_lists(), read_variables(), follow_runs(), look_at_due()
                                     # read from Airflow everything that is due
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import time_machine
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.models import GroupName, User
from accounts.operator import Operator
from portal.access import grants
from portal.access.actions import submit
from portal.access.models import AccessRequest, Grant
from portal.airflow import health, listings, states
from portal.airflow.models import DeploymentState
from portal.airflow.states import state_of
from portal.approvals import actions, lapsing
from portal.approvals.models import Request, Stage
from portal.approvals.principals import Deciders
from portal.audit.models import AuditEvent
from portal.catalogue import queries as catalogue
from portal.catalogue.actions import apply
from portal.catalogue.models import CatalogueVersion, Dag, Deployment
from portal.core import clock, heartbeat
from portal.dags import actions as dag_actions
from portal.dags.models import DagState, Permit, PermitRequest, Run, RunRequest, RunTasks
from portal.dags.permits import permits
from portal.dags.requests import run_requests
from portal.operations import outbox
from portal.operations import queries as operations
from portal.operations.models import Operation
from portal.worker import executor, looks, runs, variables
from tests.fake_airflow import FakeAirflow, FakeRole

PASSWORD = "gatehouse-demo"
CATALOGUE = Path(__file__).parent.parent / "demo" / "gatehouse.toml"
WRITTEN_URL = "http://127.0.0.1:8080"
SECRETS = {
    "AIRFLOW_DEMO_ACCESS": "password of gatehouse-access",
    "AIRFLOW_DEMO_RUNS": "password of gatehouse-runs",
}
ACCOUNTS = {
    "gatehouse-access": {("can_read", "Users"), ("can_edit", "Users"), ("can_create", "Users")}
    | {("can_read", "Roles"), ("can_create", "Roles"), ("can_edit", "Roles")},
    "gatehouse-runs": {("can_read", "DAGs"), ("can_edit", "DAGs"), ("can_read", "Task Instances")}
    | {("can_read", "DAG Runs"), ("can_create", "DAG Runs"), ("can_edit", "DAG Runs"), ("can_read", "Task Logs")}
    | {("can_edit", "Task Instances"), ("can_read", "XComs"), ("can_read", "ImportError"), ("can_read", "HITL Detail")}
    | {("can_read", "Variables"), ("can_edit", "Variables"), ("can_create", "Variables")},
}
GROUPS: dict[str, tuple[str, ...]] = {
    "data": ("employee", "colleague", "lead", "lead2"),
    "sales": ("colleague",),
    "data-leads": ("lead", "lead2"),
    "security": ("security",),
    "auditors": ("auditor",),
    "admins": ("admin",),
}
NAMES = ("employee", "colleague", "lead", "lead2", "security", "auditor", "admin", "stranger")
R, G = AccessRequest.Status, Grant.Status


def people() -> dict[str, User]:
    """Create the cast with their groups; `stranger` is in no group. All have the password PASSWORD. Returns them by
    name."""
    secret = make_password(PASSWORD)
    users = [User(username=name, email=f"{name}@example.com", password=secret) for name in NAMES]
    cast = {user.username: user for user in User.objects.bulk_create(users)}
    groups = Group.objects.bulk_create(Group(name=name) for name in GROUPS)
    GroupName.objects.bulk_create(GroupName(group=group) for group in groups)
    membership = User.groups.through
    membership.objects.bulk_create(
        membership(user=cast[name], group=group) for group in groups for name in GROUPS[group.name]
    )
    return cast


def person(name: str) -> User:
    return User.objects.get(username=name)


def request_at_status(
    status: str = R.PENDING,
    *,
    by: str = "employee",
    entitlement: str = "demo/role/User",
    duration: timedelta = timedelta(hours=8),
    reason: str = "month-end close",
    ticket: str = "OPS-7",
    starts_in: timedelta | None = None,
    beneficiary: str | None = None,
) -> AccessRequest:
    """A request with `status`: it is submitted, and then decided by the approvers of each step, or its time passes."""
    request = submit(
        by=person(by),
        entitlement=catalogue.entitlement(entitlement),
        duration=duration,
        reason=reason,
        ticket=ticket,
        starts_at=timezone.now() + starts_in if starts_in else None,
        beneficiary=person(beneficiary) if beneficiary else None,
    )
    if status == R.APPROVED:
        approve_fully(request)
    elif status == R.DENIED:
        actions.deny(request_id=request.pk, by=approvers_now(request)[0], comment="not this week")
    elif status == R.RETURNED:
        actions.return_for_changes(request_id=request.pk, by=approvers_now(request)[0], comment="shorter, please")
    elif status == R.WITHDRAWN:
        actions.withdraw(request_id=request.pk, by=request.requester)
    elif status == R.LAPSED:
        with time_machine.travel(request.lapses_at + timedelta(seconds=1), tick=False):
            lapsing.lapse_due()
    request = AccessRequest.objects.get(pk=request.pk)
    assert request.status == status, f"{request} is {request.status}, not {status}"
    return request


def run_request(
    status: str = R.PENDING, *, by: str = "employee", conf: dict[str, object] | None = None, **asked: object
) -> RunRequest:
    """A request for a run of payroll_close with `status`: pending, approved, denied, returned or withdrawn."""
    dag = catalogue.dags_in_force().get(dag_id="payroll_close")
    values: dict[str, Any] = {"reason": "month-end close", **asked}
    request = run_requests.ask(by=person(by), dag=dag, conf={"month": "2026-11"} if conf is None else conf, **values)
    if status == R.APPROVED:
        actions.approve(request_id=request.pk, by=approvers_now(request)[0])
    elif status == R.DENIED:
        actions.deny(request_id=request.pk, by=approvers_now(request)[0], comment="not this week")
    elif status == R.RETURNED:
        actions.return_for_changes(request_id=request.pk, by=approvers_now(request)[0], comment="October, please")
    elif status == R.WITHDRAWN:
        actions.withdraw(request_id=request.pk, by=request.requester)
    request = RunRequest.objects.get(pk=request.pk)
    assert request.status == status, f"{request} is {request.status}, not {status}"
    return request


def scheduled_run(*, start_in: timedelta = timedelta(hours=3)) -> RunRequest:
    """The start of a run in some hours, which colleague may run without an approval."""
    dag = catalogue.dags_in_force().get(dag_id="sales_report")
    return run_requests.ask(by=person("colleague"), dag=dag, conf={}, start_at=timezone.now() + start_in)


PARAMS = {
    "month": {"value": "2026-11", "schema": {"type": "string"}, "hidden": False, "required": False},
    "limit": {"value": 10, "schema": {"type": "integer"}, "hidden": False, "required": False},
    "day": {
        "value": None,
        "schema": {"type": ["null", "string"], "format": "date"},
        "hidden": False,
        "required": False,
    },
}


def read_dag(dag_id: str) -> Dag:
    """The DAG with PARAMS, as if the worker had read them from Airflow."""
    dag = catalogue.dags_in_force().get(dag_id=dag_id)
    columns = {"known": True, "params": PARAMS, "secrets": {"declared": [["pin"]], "places": []}}
    DagState.objects.update_or_create(dag=dag, defaults={**columns, "seen_at": timezone.now()})
    return catalogue.dags_in_force().select_related("deployment", "state").get(pk=dag.pk)


def permit_request(
    *,
    by: str = "employee",
    bounds: dict[str, Any] | None = None,
    runs: int = 3,
    duration: timedelta = timedelta(days=7),
    **asked: Any,
) -> PermitRequest:
    """A pending request for a permit for payroll_close."""
    values: dict[str, Any] = {"reason": "month-end close", **asked}
    within = {"month": {"enum": ["2026-11"]}} if bounds is None else bounds
    dag = read_dag("payroll_close")
    return permits.ask(by=person(by), dag=dag, bounds=within, runs=runs, duration=duration, **values)


def permit(**asked: Any) -> Permit:
    """An active permit for payroll_close that lead approved."""
    request = permit_request(**asked)
    actions.approve(request_id=request.pk, by=person("lead"))
    return Permit.objects.get(request=request)


def approve_fully(request: AccessRequest) -> None:
    """Approve each step as its first possible approver."""
    while AccessRequest.objects.get(pk=request.pk).status == R.PENDING:
        actions.approve(request_id=request.pk, by=approvers_now(request)[0])


def approvers_now(request: Request) -> list[User]:
    """The people who may decide the open step."""
    stage = Stage.objects.get(request=request, status=Stage.Status.OPEN)
    decided = set(request.decisions.values_list("by", flat=True))
    return [able for able in Deciders().of_stage(stage, request) if able.pk not in decided]


def grant_at_status(status: str = G.ACTIVE, *, ended: str = "handed_back", **asked: object) -> Grant:
    """A grant with `status`. ended: how it ends, for ending and ended: "handed_back", "revoked" or "expired".

    Needs an Airflow, except for scheduled and applying. `failed` needs an Airflow that refuses the change.
    """
    if status == G.SCHEDULED:
        asked.setdefault("starts_in", timedelta(hours=1))
    request = request_at_status(R.APPROVED, **asked)  # type: ignore[arg-type]
    grant = Grant.objects.get(request=request)
    if status not in (G.SCHEDULED, G.APPLYING):
        work_off()
    if status in (G.ENDING, G.ENDED):
        _end(grant, ended, work=status == G.ENDED)
    grant = Grant.objects.get(pk=grant.pk)
    assert grant.status == status, f"{grant} is {grant.status}, not {status}: {grant.failure}"
    return grant


def _end(grant: Grant, how: str, *, work: bool) -> None:
    grant.refresh_from_db()
    with contextlib.ExitStack() as stack:
        if how == Grant.EndReason.HANDED_BACK:
            grants.hand_back(grant_id=grant.pk, by=grant.beneficiary)
        elif how == Grant.EndReason.REVOKED:
            grants.revoke(grant_id=grant.pk, by=person("admin"), reason="no longer needed")
        else:
            assert grant.ends_at is not None, f"{grant} has no end yet"
            stack.enter_context(time_machine.travel(grant.ends_at + timedelta(seconds=1), tick=False))
            grants.expire_due()
        if work:
            work_off()


def run_in_airflow(status: str = "running", *, by: str = "colleague", dag: str = "sales_report") -> Run:
    """A run as the worker stores it, without an Airflow behind it. If it failed, its second task did."""
    row = Dag.objects.select_related("deployment").get(dag_id=dag, deployment__name="demo")
    run = dag_actions.trigger(by=person(by), dag=row, conf={})
    now = clock.now()
    Operation.objects.filter(pk=run.operation_id).update(status="succeeded", settled_at=now)
    ended = now if status in Run.FINAL else None
    Run.objects.filter(pk=run.pk).update(status=status, seen_at=now, started_at=now, ended_at=ended)
    last = status if ended else "running"
    rows = [
        {"task": task, "mapped": False, "counts": {state: 1}, "failed": [], "tries": 1, "took": 1.0}
        for task, state in (("collect", "success"), ("publish", last))
    ]
    RunTasks.objects.create(run=run, rows=rows, seen_at=now)
    return Run.objects.get(pk=run.pk)


def verbs(since: int = 0) -> list[str]:
    """The verbs of the audit trail, oldest first. since: the number of oldest events to leave out."""
    return list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))[since:]


def work_off() -> int:
    """Execute all due operations like a worker, in this thread. Returns the number of attempts.

    Postponed operations are not executed, for example if an Airflow is down or a person has no account.
    """
    attempts = 0
    while waiting := due():
        for operation_id in waiting:
            attempt(operation_id)
            attempts += 1
        assert attempts < 1000, f"operations {waiting} stay due for ever"
    return attempts


def work_on() -> int:
    """Make all queued operations due and Airflow available, then execute them."""
    Operation.objects.filter(status="queued").update(not_before=timezone.now())
    observe(status="up")
    return work_off()


def due() -> list[int]:
    """The primary keys of the operations that a worker could start now, in its order."""
    return list(outbox.startable().values_list("pk", flat=True))


def attempt(operation_id: int) -> None:
    """Try one operation once, like a worker. Does nothing if it is not due or its Airflow is down."""
    waiting = Operation.objects.select_related("deployment").get(pk=operation_id)
    if not state_of(waiting.deployment).can_be_worked_on(waiting.account):
        return
    if (operation := outbox.claim(operation_id, worker=heartbeat.process_id())) is not None:
        executor.execute(operation)


def observe(name: str = "", **columns: object) -> None:
    """Store this state for all deployments, or for the one with this name. By default, a refusal is of both
    accounts."""
    states.ensure(Deployment.objects.all())
    if columns.get("status") == DeploymentState.Status.NEEDS_REAUTHENTICATION:
        columns = {"granter_refused": True, "runner_refused": True, **columns}
    rows = DeploymentState.objects.filter(deployment__name=name) if name else DeploymentState.objects.all()
    rows.update(**columns)


def look_at_all() -> None:
    """Check every deployment that is due."""
    for deployment in health.watched(with_work=operations.deployments_with_work()):
        if health.is_due(deployment):
            health.check(deployment)


def look_at_dags() -> None:
    """Read every operable DAG that is due."""
    for dag in runs.due_dags():
        runs.read_dag(dag)


def read_variables() -> None:
    """Read every variable that is due."""
    for deployment in variables.due_deployments():
        variables.read(deployment)


def read_lists() -> None:
    """Read every list of DAGs that is due."""
    for deployment in listings.due():
        runs.read_list(deployment)


def follow_runs() -> None:
    """Read every run that is due."""
    for deployment in runs.due_deployments():
        for run in runs.due_on(deployment):
            runs.read_run(run)


def look_at_due() -> None:
    """Make all second looks that are due."""
    for deployment in looks.due_deployments():
        for group in looks.due_on(deployment):
            looks.check_account(group)


def offer(folder: Path, *, url: str = "", api: str = "v2", source: str = "") -> CatalogueVersion:
    """Put a catalogue in force: `source`, or the demo's. url: the address of its Airflow."""
    text = source or CATALOGUE.read_text()
    if url:
        text = text.replace(WRITTEN_URL, url).replace('api = "v2"', f'api = "{api}"')
    file = folder / "gatehouse.toml"
    file.write_text(text)
    return apply(by=Operator("tests"), path=file).version


def offer_renamed(folder: Path, *, url: str) -> CatalogueVersion:
    """Put the demo's catalogue in force, with its deployment renamed from `demo` to `main` and with the address
    `url`."""
    text = CATALOGUE.read_text().replace("deployments.demo", "deployments.main").replace('"demo', '"main')
    return offer(folder, url=url, source=text)


@contextlib.contextmanager
def fake_airflow(release: str = "3.3.2") -> Iterator[FakeAirflow]:
    """A fake Airflow with Gatehouse's two accounts. Each has only the permissions that it needs."""
    with FakeAirflow(release=release) as fake:
        for account, permissions in ACCOUNTS.items():
            fake.state.roles[account] = FakeRole(account, set(permissions))
            fake.add_user(account, password=f"password of {account}", roles=[account])
        yield fake
