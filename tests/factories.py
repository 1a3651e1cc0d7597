"""What tests start from: the cast, the catalogue, and things brought to a status by the real actions.

cast = people()                      # also the fixture `cast`; needs a database
offer()                              # puts tests/catalogue.toml in force
request = request_at_status("approved", entitlement="demo/role/Op")
grant = grant_at_status("active")    # needs an Airflow: the fixture `airflow`
work_off()                           # what the workers would do now
"""

from __future__ import annotations

import hashlib
import tomllib
from datetime import timedelta
from pathlib import Path

import time_machine
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts import roles
from accounts.models import User
from accounts.permissions import Role
from portal.access import actions, grants
from portal.access.models import AccessRequest, Grant, Stage
from portal.access.queries import approvers_of
from portal.catalogue import queries as catalogue
from portal.catalogue.document import Document
from portal.catalogue.models import CatalogueVersion, Dag, Deployment, Entitlement
from portal.catalogue.roles import dag_role_name
from portal.operations import outbox
from portal.worker import executor

PASSWORD = "gatehouse-demo"
CATALOGUE = Path(__file__).with_name("catalogue.toml")
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
    """The cast by name, in their groups; `stranger` is in none. Everybody's password is PASSWORD."""
    secret = make_password(PASSWORD)
    cast = {name: User.objects.create(username=name, email=f"{name}@example.com", password=secret) for name in NAMES}
    for name, members in GROUPS.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.user_set.set([cast[member] for member in members])
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
    """A request brought to `status` as people and time would: asked, then decided by the approvers of each step."""
    request = actions.submit(
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
    elif status == R.WITHDRAWN:
        actions.withdraw(request_id=request.pk, by=request.requester)
    elif status == R.LAPSED:
        with time_machine.travel(request.lapses_at + timedelta(seconds=1), tick=False):
            actions.lapse_due()
    request = AccessRequest.objects.get(pk=request.pk)
    assert request.status == status, f"{request} is {request.status}, not {status}"
    return request


def approve_fully(request: AccessRequest) -> None:
    """Each step approved by the first who may."""
    while AccessRequest.objects.get(pk=request.pk).status == R.PENDING:
        actions.approve(request_id=request.pk, by=approvers_now(request)[0])


def approvers_now(request: AccessRequest) -> list[User]:
    """Who may decide the step that is open."""
    stage = Stage.objects.get(request=request, status=Stage.Status.OPEN)
    decided = set(request.decisions.values_list("by", flat=True))
    return [able for able in approvers_of(stage, request=request) if able.pk not in decided]


def grant_at_status(status: str = G.ACTIVE, *, ended: str = "handed_back", **asked: object) -> Grant:
    """A grant brought to `status`; `ended` ("handed_back", "revoked", "expired") says how, for ending and ended.

    Needs an Airflow for all but scheduled, applying and what was never given. `failed` needs an Airflow that refuses.
    """
    if status == G.SCHEDULED:
        asked.setdefault("starts_in", timedelta(hours=1))
    request = request_at_status(R.APPROVED, **asked)  # type: ignore[arg-type]
    grant = Grant.objects.get(request=request)
    if status not in (G.SCHEDULED, G.APPLYING):
        work_off()
    if status in (G.ENDING, G.ENDED):
        _end(grant, ended)
    if status == G.ENDED:
        work_off()
    grant = Grant.objects.get(pk=grant.pk)
    assert grant.status == status, f"{grant} is {grant.status}, not {status}: {grant.failure}"
    return grant


def _end(grant: Grant, how: str) -> None:
    grant.refresh_from_db()
    if how == Grant.EndReason.HANDED_BACK:
        grants.hand_back(grant_id=grant.pk, by=grant.beneficiary)
    elif how == Grant.EndReason.REVOKED:
        grants.revoke(grant_id=grant.pk, by=person("admin"), reason="no longer needed")
    else:
        assert grant.ends_at is not None, f"{grant} has no end yet"
        with time_machine.travel(grant.ends_at + timedelta(seconds=1), tick=False):
            grants.expire_due()


def work_off() -> int:
    """Carry out everything that is due, as a worker would, in this thread; how many attempts that took.

    What is postponed (an Airflow that is away, a person without an account) is due later and is left for then.
    """
    attempts = 0
    while due := outbox.due():
        for operation_id in due:
            executor.run(operation_id)
            attempts += 1
        assert attempts < 1000, f"operations {due} stay due for ever"
    return attempts


def offer(source: str | None = None) -> CatalogueVersion:
    """Put a catalogue in force, by default tests/catalogue.toml."""
    text = source if source is not None else CATALOGUE.read_text()
    document = Document.model_validate(tomllib.loads(text))
    number = CatalogueVersion.objects.count() + 1
    digest = hashlib.sha256(text.encode()).hexdigest()
    version = CatalogueVersion.objects.create(
        number=number, sha256=digest, source=text, document=document.as_json(), applied_by="tests"
    )
    made = {}
    for name, spec in document.deployments.items():
        accounts = {"granter": spec.granter.model_dump(mode="json", exclude_none=True)}
        accounts["runner"] = spec.runner.model_dump(mode="json", exclude_none=True)
        made[name] = Deployment.objects.create(
            name=name, url=spec.url, api=spec.api, accounts=accounts, create_users=spec.create_users
        )
    for item in document.entitlements:
        kind = Entitlement.Kind.ROLE if item.role else Entitlement.Kind.DAG
        Entitlement.objects.create(
            key=item.key,
            deployment=made[item.deployment],
            kind=kind,
            role=item.role or dag_role_name(item.dag or "", item.level or ""),
            dag_id=item.dag or "",
            level=item.level or "",
            title=item.title,
            description=item.description,
            risk=item.risk,
            max_duration=item.max_duration,
            policy=item.policy,
        )
    for dag in document.dags:
        Dag.objects.create(
            deployment=made[dag.deployment],
            dag_id=dag.dag,
            actions=dag.actions,
            who=dag.who,
            policy=dag.policy or "",
            locked=dag.locked,
            max_runs_per_hour=dag.max_runs_per_hour,
        )
    rows = {(Role(group.role), f"group:{name}") for name, group in document.groups.items() if group.role}
    for policy in document.policies.values():
        rows |= {(Role.APPROVER, subject) for stage in policy.stages for subject in stage.approvers}
    roles.assign(rows)
    return version
