"""Regular work on grants: grants that could not be applied in time fail, and grants end if their holder may no longer
have them. Each grant is changed in a separate transaction, so an error with one does not stop the others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from django.db.models import Q, QuerySet

from accounts import people
from portal.access import grant_changes, grants, outcomes
from portal.access.models import Grant
from portal.access.operation_names import GRANT_ROLE
from portal.access.permissions import check_eligible
from portal.audit.record import recording
from portal.catalogue import airflows
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.core import clock, due
from portal.core.errors import Conflict, Missing, Refused
from portal.operations import outbox
from portal.operations import queries as operations
from portal.operations.models import Operation

G = Grant.Status
BATCH = 200


def give_up_overdue() -> int:
    """Fail the grants that could not be applied in time, for example because Airflow is down. Returns their number.

    Grants on a read-only Airflow wait until it is switched back.
    """
    late = Grant.objects.filter(status=G.APPLYING, apply_by__lte=clock.now())
    late = late.exclude(deployment__in=airflows.read_only())
    return due.each(late.order_by("apply_by", "pk").values_list("pk", flat=True)[:BATCH], _give_up)


def _give_up(grant_id: int) -> None:
    """Raises Conflict if the grant was ended or its operation was started in the meantime."""
    with recording() as trail:
        grant = grant_changes.locked(grant_id)
        giving = operations.of_subject(grant.ref).filter(kind=GRANT_ROLE, status__in=operations.OPEN)
        operation = giving.last()
        waited_for = ""
        if operation is not None:
            if operation.status == Operation.Status.RUNNING:
                raise Conflict(f"{operation.ref} is running and will find that it is too late.")
            waited_for = operations.why_waiting(operation)
            outbox.cancel(operation, because="It could not be done in time.")
        why = outcomes.too_late(grant, waited_for=waited_for)
        outcomes.give_up(grant, why=why, operation=operation, trail=trail)


def end_ineligible() -> int:
    """End the grants of people who left or whom the policy no longer names. Returns the number of ended grants.

    At most BATCH grants per call, because the timer thread has other work. The next call continues.
    The grants of people who left end at once, also scheduled ones. Other grants end after the policy's `grace`.
    """
    left = Grant.objects.filter(status__in=[G.SCHEDULED, G.APPLYING, G.ACTIVE], beneficiary__is_active=False)
    found = list(left.order_by("pk").values_list("pk", flat=True)[:BATCH])
    room = BATCH - len(found)
    done = due.each(found, _end)
    for policy, rows in _by_policy():
        named = people.named_by(policy.may_request)
        rows.filter(ineligible_since__isnull=False, beneficiary__in=named).update(ineligible_since=None)
        lost = rows.exclude(beneficiary__in=named)
        lost.filter(ineligible_since=None).update(ineligible_since=clock.now())
        over = lost.filter(ineligible_since__lte=clock.now() - (policy.grace or timedelta()))
        found = list(over.order_by("pk").values_list("pk", flat=True)[:room])
        room -= len(found)
        done += due.each(found, partial(_end, policy=policy))
    return done


def _by_policy() -> Iterator[tuple[PolicySpec, QuerySet[Grant]]]:
    """The live grants, grouped by the policy that applies: the one in force, or, if the entitlement is no longer
    offered, the one under which it was granted."""
    live = Grant.objects.filter(status__in=[G.APPLYING, G.ACTIVE], beneficiary__is_active=True)
    retired = Q(entitlement__retired_at__isnull=False) | Q(deployment__retired_at__isnull=False)
    for name in live.exclude(retired).values_list("entitlement__policy", flat=True).distinct().order_by():
        if (policy := _policy(name)) is not None:
            yield policy, live.exclude(retired).filter(entitlement__policy=name)
    granted = live.filter(retired).values_list("policy", "policy_version").distinct().order_by()
    for name, version in granted:
        if (policy := _policy(name, version)) is not None:
            yield policy, live.filter(retired).filter(policy=name, policy_version=version)


def _policy(name: str, version: int | None = None) -> PolicySpec | None:
    try:
        return catalogue.policy(name, version)
    except Missing:
        return None


def _end(grant_id: int, *, policy: PolicySpec | None = None) -> None:
    """End a grant if its holder may no longer have it, with the reason of the refusal. Raises Conflict if the holder
    may have it, or if the grant is already ending."""
    person = Grant.objects.select_related("beneficiary").get(pk=grant_id).beneficiary
    try:
        if not person.is_active:
            raise Refused(f"{person.username} can no longer sign in.", reason="inactive")
        if policy is not None:
            check_eligible(person, policy)
    except Refused as refusal:
        grants.end_refused(grant_id=grant_id, refusal=refusal)
    else:
        raise Conflict(f"{person.username} may hold it.")
