"""One person's role list in one Airflow: changing it, and checking the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Q

from portal.access import making, requiring
from portal.access.models import Grant
from portal.access.role_sets import ADMIN, is_as_required, target_roles
from portal.access.states import REQUIRING
from portal.airflow.bridge import Airflow, AirflowUser, NotParsed, dag_permissions, is_complete
from portal.airflow.dag_roles import dag_role_name
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.catalogue import airflows
from portal.core import refs
from portal.operations import outbox
from portal.operations.handling import Done, NotNeeded, PermanentFailure, RetryLater
from portal.operations.models import Operation


def change_roles(
    operation: Operation,
    grant: Grant,
    user: AirflowUser,
    airflow: Airflow,
    *,
    giving: bool,
    before: Callable[[], None] | None = None,
) -> Done:
    """Give the grant's role (giving), or remove the roles of ending grants. before: called right before a change."""
    required, ending = requiring.roles_of(grant.beneficiary, grant.deployment)
    given, removed = ({grant.role}, ending) if giving else (set(), ending | {grant.role})
    target = target_roles(user.roles, giving=given, required=required, ending=removed)
    if target == user.roles:
        return verified(grant, shown(user), user, giving=giving)
    if before is not None:
        before()
    outbox.renew_lease(operation)
    return verified(grant, shown(user), airflow.set_roles(user.username, target), giving=giving)


def verified(grant: Grant, before: dict[str, Any], user: AirflowUser, *, giving: bool) -> Done:
    """The result, if Airflow shows the roles that the grants require. Raises RetryLater if not.

    The status 200 is not enough: Airflow sometimes answers 200 without saving.
    """
    required, _ = requiring.roles_of(grant.beneficiary, grant.deployment)
    given, removed = ({grant.role} & required, set()) if giving else (set(), {grant.role})
    if not is_as_required(user.roles, giving=given, required=required, ending=removed):
        roles = ", ".join(sorted(user.roles)) or "no role"
        raise RetryLater(f"Airflow accepted the change but still shows {roles} for {user.username}.")
    return Done(before, shown(user), found=user)


def shown(user: AirflowUser | None) -> dict[str, Any]:
    return {"user": user.username if user else None, "roles": sorted(user.roles) if user else []}


def check_can_change(grant: Grant, user: AirflowUser, *, giving: bool) -> None:
    """Raises PermanentFailure or RetryLater for Gatehouse's own accounts and for accounts with the role Admin.

    A grant of the role Admin may change such an account.
    """
    deployment = grant.deployment
    own = {
        account.get("username", "").casefold()
        for same in airflows.with_same_address(deployment)
        for account in same.accounts.values()
    }
    if user.username.casefold() in own:
        raise PermanentFailure(
            f"“{user.username}” is Gatehouse's own account on {deployment.name} and is never changed."
        )
    if ADMIN in user.roles and grant.role != ADMIN:
        required, ending = requiring.roles_of(grant.beneficiary, deployment)
        if ADMIN not in required | ending:
            why = f"{user.username} has Airflow's Admin role on {deployment.name} outside Gatehouse and is not changed."
            raise PermanentFailure(why) if giving else RetryLater(why, retry_in=300)


def ensure_role(operation: Operation, grant: Grant, airflow: Airflow) -> None:
    """Create the role for one DAG if it is missing or incomplete. Permissions are never removed from it: older Airflow
    releases cannot do that.

    Airflow adds the permissions one by one, so only one operation at a time creates the role.
    """
    if not grant.dag_id:
        return
    needed = dag_permissions(grant.dag_id, grant.level)
    role = airflow.role(grant.role)
    if role is not None and (is_complete(role, needed) or not _has_current_name(grant)):
        return
    if not making.take(grant.deployment, grant.role, operation=operation):
        raise RetryLater(f"The role for {grant.dag_id} is being created in Airflow.", retry_in=1)
    try:
        airflow.ensure_dag_role(grant.role, grant.dag_id, needed)
    except NotParsed as error:
        raise RetryLater(str(error), retry_in=15) from error
    finally:
        making.give_back(grant.deployment, grant.role, operation=operation)


def _has_current_name(grant: Grant) -> bool:
    """Whether this release would give the role the same name. A role of an earlier release is not changed."""
    return grant.role == dag_role_name(grant.dag_id, grant.level)


def load(operation: Operation, *expected: str, locked: bool = False) -> Grant:
    """The grant of an operation. Raises NotNeeded if its status is not `expected`. locked: inside the settling
    transaction."""
    rows = Grant.objects.select_related("deployment", "entitlement", "beneficiary", "request")
    if locked:
        _lock(rows.get(pk=operation.payload["grant"]))
    grant = rows.get(pk=operation.payload["grant"])
    if grant.status not in expected:
        raise NotNeeded(f"{grant.ref} is {grant.get_status_display()} meanwhile.")
    return grant


def _lock(grant: Grant) -> None:
    """Lock the grant and the grants that may keep its role (`outcomes.leave_to_others`), in the same order as a
    deactivation. Another order could deadlock."""
    others = Q(role=grant.role, status__in=REQUIRING)
    rows = requiring.grants_of(grant.beneficiary, grant.deployment).filter(others | Q(pk=grant.pk))
    list(rows.order_by("pk").select_for_update().values_list("pk", flat=True))


def record_change(operation: Operation, grant: Grant, done: Done, trail: Trail) -> None:
    """Record the change of a role list. If there was no change, for example after a worker was killed, record that the
    list is confirmed."""
    trail.add(
        Verb.ROLES_CHANGED if done.before != done.after else Verb.ROLES_CONFIRMED,
        by=None,
        target=grant.beneficiary.username,
        about=[*grant.references, operation.ref, refs.deployment(grant.deployment.name)],
        detail={"before": dict(done.before), "after": dict(done.after)},
    )
