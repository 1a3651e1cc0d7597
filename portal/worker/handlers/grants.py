"""Giving roles and taking them away: both bring one person's role list in line with all of their grants."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from airflow_bridge import Airflow, NotParsed, dag_permissions
from airflow_bridge.types import User as AirflowUser
from portal.access import grants
from portal.access.models import Grant
from portal.access.states import REQUIRING
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.catalogue.models import Deployment
from portal.dags.live import client
from portal.operations import outbox
from portal.operations.models import Operation
from portal.worker import accounts
from portal.worker.handlers import PATIENCE, Done, GivenUp, NotNeeded, NotYet
from portal.worker.roles import ADMIN, in_line, wanted

G = Grant.Status


class GrantRole:
    """The beneficiary has the role, and Airflow itself shows it."""

    patience: int | None = PATIENCE
    overtaken: Verb | None = None

    def carry_out(self, operation: Operation) -> Done:
        grant = _grant(operation, G.APPLYING)
        deployment, person = grant.deployment, grant.beneficiary
        airflow = client(deployment, "granter")
        _ensure_role(grant, airflow)
        user = accounts.find(person, deployment, airflow)
        if user is None:
            outbox.keep(operation)
            user = accounts.create(person, deployment, airflow, frozenset({grant.role}))
            return _proved(grant, {"user": None, "roles": []}, user)
        accounts.check_theirs(person, deployment, user)
        _check_may_touch(grant, user)
        return _bring_in_line(operation, grant, user, airflow)

    def settle(self, operation: Operation, done: Done, trail: Trail) -> None:
        grant = _locked(operation)
        _record_change(operation, grant, done, trail)
        grants.confirm_active(grant, operation=operation, trail=trail)

    def give_up(self, operation: Operation, why: str, trail: Trail) -> None:
        grants.confirm_failed(_locked(operation), why=why, operation=operation, trail=trail)


class RevokeRole:
    """The beneficiary has the role no longer, unless another live grant requires it. Never given up."""

    patience: int | None = None
    overtaken: Verb | None = None

    def carry_out(self, operation: Operation) -> Done:
        grant = _grant(operation, G.ENDING)
        deployment = grant.deployment
        airflow = client(deployment, "granter")
        user = accounts.find(grant.beneficiary, deployment, airflow)
        if user is None:
            return Done({"user": None, "roles": []}, {"user": None, "roles": []})
        if grant.role in user.roles:
            _check_may_touch(grant, user)
            return _bring_in_line(operation, grant, user, airflow)
        return _proved(grant, _shown(user), user)

    def settle(self, operation: Operation, done: Done, trail: Trail) -> None:
        grant = _locked(operation)
        _record_change(operation, grant, done, trail)
        grants.confirm_ended(grant, operation=operation, trail=trail)

    def give_up(self, operation: Operation, why: str, trail: Trail) -> None:
        raise AssertionError("taking a role away is never given up")


def _bring_in_line(operation: Operation, grant: Grant, user: AirflowUser, airflow: Airflow) -> Done:
    required, ending = _grants_of(grant.beneficiary, grant.deployment)
    giving = {grant.role} if grant.status == G.APPLYING else set()
    target = wanted(user.roles, giving=giving, required=required, ending=ending)
    if target == user.roles:
        return _proved(grant, _shown(user), user)
    outbox.keep(operation)
    return _proved(grant, _shown(user), airflow.set_roles(user.username, target))


def _proved(grant: Grant, before: dict[str, Any], user: AirflowUser) -> Done:
    """What Airflow shows afterwards, if it is what the grants ask for.

    A 200 alone proves nothing: Airflow has been seen to answer so without saving.
    """
    required, ending = _grants_of(grant.beneficiary, grant.deployment)
    role = grant.role
    mine = {role} & required if grant.status == G.APPLYING else set()
    gone = {role} & ending if grant.status == G.ENDING else set()
    if not in_line(user.roles, giving=mine, required=required, ending=gone):
        shown = ", ".join(sorted(user.roles)) or "no role"
        raise NotYet(f"Airflow accepted the change but still shows {shown} for {user.username}.")
    return Done(before, _shown(user))


def _shown(user: AirflowUser) -> dict[str, Any]:
    return {"user": user.username, "roles": sorted(user.roles)}


def _grants_of(person: User, deployment: Deployment) -> tuple[frozenset[str], frozenset[str]]:
    """(roles that live grants require, roles of grants being taken away) for one person on one deployment."""
    rows = Grant.objects.filter(
        beneficiary=person, deployment=deployment, status__in=[*REQUIRING, G.ENDING]
    ).values_list("status", "role")
    required = frozenset(role for status, role in rows if status in REQUIRING)
    return required, frozenset(role for status, role in rows if status == G.ENDING)


def _check_may_touch(grant: Grant, user: AirflowUser) -> None:
    """Gatehouse's own accounts, and Airflow's Admins outside an entitlement for Admin itself, are never changed."""
    deployment, role = grant.deployment, grant.role
    own = {account.get("username", "").casefold() for account in deployment.accounts.values()}
    if user.username.casefold() in own:
        raise GivenUp(f"“{user.username}” is an account of Gatehouse itself on {deployment.name}; it is never changed.")
    if ADMIN in user.roles and role != ADMIN:
        required, ending = _grants_of(grant.beneficiary, deployment)
        if ADMIN not in required | ending:
            why = (
                f"{user.username} holds Airflow's Admin role on {deployment.name} outside Gatehouse: it is not touched."
            )
            raise GivenUp(why) if grant.status == G.APPLYING else NotYet(why, retry_in=300)


def _ensure_role(grant: Grant, airflow: Airflow) -> None:
    """A role for one DAG is created once, complete, and never edited afterwards: older Airflows cannot shrink one."""
    if not grant.dag_id:
        return
    needed = dag_permissions(grant.dag_id, grant.level)
    try:
        airflow.ensure_dag_role(grant.role, grant.dag_id, needed)
    except NotParsed as error:
        raise NotYet(str(error), retry_in=15) from error


def _grant(operation: Operation, expected: str) -> Grant:
    grant = Grant.objects.select_related("deployment", "entitlement", "beneficiary", "request").get(
        pk=operation.payload["grant"]
    )
    _check_still(grant, expected)
    return grant


def _locked(operation: Operation) -> Grant:
    """The grant, locked, inside the settling transaction. Raises NotNeeded when it was ended meanwhile."""
    rows = Grant.objects.select_for_update(of=("self",)).select_related(
        "deployment", "entitlement", "beneficiary", "request"
    )
    grant = rows.get(pk=operation.payload["grant"])
    _check_still(grant, G.APPLYING if operation.kind == Operation.Kind.GRANT_ROLE else G.ENDING)
    return grant


def _check_still(grant: Grant, expected: str) -> None:
    if grant.status != expected:
        raise NotNeeded(f"{grant.ref} is {grant.get_status_display()} meanwhile.")


def _record_change(operation: Operation, grant: Grant, done: Done, trail: Trail) -> None:
    """What was found as it should be is said so: a worker killed after the change leaves nothing to change."""
    trail.add(
        Verb.ROLES_CHANGED if done.before != done.after else Verb.ROLES_CONFIRMED,
        by=None,
        target=grant.beneficiary.username,
        deployment=grant.deployment.name,
        request=grant.request.ref,
        grant=grant.ref,
        operation=operation.ref,
        detail={"before": dict(done.before), "after": dict(done.after)},
    )
