"""One person's role list in one Airflow: what it should be, the change, and the read-back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Q

from portal.access import making, requiring
from portal.access.models import Grant
from portal.access.role_sets import ADMIN, in_line, wanted
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


def bring_in_line(
    operation: Operation,
    grant: Grant,
    user: AirflowUser,
    airflow: Airflow,
    *,
    giving: bool,
    before: Callable[[], None] | None = None,
) -> Done:
    """Give the grant's role, or take away what ends, if needed. before: called right before a change."""
    required, ending = requiring.roles_of(grant.beneficiary, grant.deployment)
    mine, gone = ({grant.role}, ending) if giving else (set(), ending | {grant.role})
    target = wanted(user.roles, giving=mine, required=required, ending=gone)
    if target == user.roles:
        return proved(grant, shown(user), user, giving=giving)
    if before is not None:
        before()
    outbox.renew_lease(operation)
    return proved(grant, shown(user), airflow.set_roles(user.username, target), giving=giving)


def proved(grant: Grant, before: dict[str, Any], user: AirflowUser, *, giving: bool) -> Done:
    """The result, if Airflow shows what the grants require. Raises RetryLater if not.

    A 200 proves nothing: Airflow has been seen to answer it without saving.
    """
    required, _ = requiring.roles_of(grant.beneficiary, grant.deployment)
    mine, gone = ({grant.role} & required, set()) if giving else (set(), {grant.role})
    if not in_line(user.roles, giving=mine, required=required, ending=gone):
        roles = ", ".join(sorted(user.roles)) or "no role"
        raise RetryLater(f"Airflow accepted the change but still shows {roles} for {user.username}.")
    return Done(before, shown(user), found=user)


def shown(user: AirflowUser | None) -> dict[str, Any]:
    return {"user": user.username if user else None, "roles": sorted(user.roles) if user else []}


def check_may_touch(grant: Grant, user: AirflowUser, *, giving: bool) -> None:
    """Raises PermanentFailure or RetryLater for Gatehouse's own accounts and for Admins.

    An entitlement for Admin itself may change an Admin.
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
    """Create the role for one DAG if it is missing. It is never changed later: older Airflows cannot shrink a role.

    Airflow creates it permission by permission, so one operation at a time does that.
    """
    if not grant.dag_id:
        return
    needed = dag_permissions(grant.dag_id, grant.level)
    role = airflow.role(grant.role)
    if role is not None and (is_complete(role, needed) or not _is_of_now(grant)):
        return
    if not making.take(grant.deployment, grant.role, operation=operation):
        raise RetryLater(f"The role for {grant.dag_id} is being created in Airflow.", retry_in=1)
    try:
        airflow.ensure_dag_role(grant.role, grant.dag_id, needed)
    except NotParsed as error:
        raise RetryLater(str(error), retry_in=15) from error
    finally:
        making.give_back(grant.deployment, grant.role, operation=operation)


def _is_of_now(grant: Grant) -> bool:
    """Whether the role's name is of this release. A role of an earlier release is left as it is."""
    return grant.role == dag_role_name(grant.dag_id, grant.level)


def load(operation: Operation, *expected: str, locked: bool = False) -> Grant:
    """The operation's grant; locked inside the settling transaction. Raises NotNeeded when it is not `expected`."""
    rows = Grant.objects.select_related("deployment", "entitlement", "beneficiary", "request")
    if locked:
        _lock(rows.get(pk=operation.payload["grant"]))
    grant = rows.get(pk=operation.payload["grant"])
    if grant.status not in expected:
        raise NotNeeded(f"{grant.ref} is {grant.get_status_display()} meanwhile.")
    return grant


def _lock(grant: Grant) -> None:
    """With the grants that the role may be left to (`outcomes.leave_to_others`), in the order in which a deactivation
    locks them: another order could deadlock."""
    others = Q(role=grant.role, status__in=REQUIRING)
    rows = requiring.grants_of(grant.beneficiary, grant.deployment).filter(others | Q(pk=grant.pk))
    list(rows.order_by("pk").select_for_update().values_list("pk", flat=True))


def record_change(operation: Operation, grant: Grant, done: Done, trail: Trail) -> None:
    """The event of a change, or of a role list that needed none, as after a worker that was killed."""
    trail.add(
        Verb.ROLES_CHANGED if done.before != done.after else Verb.ROLES_CONFIRMED,
        by=None,
        target=grant.beneficiary.username,
        about=[*grant.references, operation.ref, refs.deployment(grant.deployment.name)],
        detail={"before": dict(done.before), "after": dict(done.after)},
    )
