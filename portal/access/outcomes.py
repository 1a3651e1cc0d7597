"""Results of the operations of a grant. Workers call these functions inside the transaction that settles the operation.

Only this module and `grants` change the status of a grant. A grant is failed only when Airflow shows that it gives no
role: if an operation may have changed something before it failed, the role is removed first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portal.access import holding, looks, requiring
from portal.access.grant_changes import add_operation, locked, record
from portal.access.models import Grant
from portal.access.operation_names import REVOKE_ROLE
from portal.access.states import GRANT, REQUIRING
from portal.audit.models import AuditEvent
from portal.audit.record import Trail, recording
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.core import clock, durations
from portal.core.errors import Conflict
from portal.operations.models import Operation

G = Grant.Status


@dataclass(frozen=True)
class Account:
    """A person's account in Airflow: its user name, and its id, which does not change when the account is renamed."""

    name: str
    id: str = ""


class TooLate(Exception):
    """The grant could not be applied in time. `str()`: the message for people."""


def check_may_be_given(grant: Grant) -> None:
    """Raises Refused if the person may no longer hold it, TooLate if the time to apply it is over."""
    if grant.apply_by is not None and grant.apply_by <= clock.now():
        raise TooLate(too_late(grant))
    holding.check_may_hold(grant)


def too_late(grant: Grant, *, waited_for: str = "") -> str:
    within = catalogue.policy(grant.policy, grant.policy_version).apply_within
    words = (
        f"It could not be given within {durations.words(within)}, so it failed. Request it again if it is still needed."
    )
    return f"{words} Why it waited: {waited_for}" if waited_for else words


def prepare_change(grant: Grant, account: Account) -> None:
    """The last checks right before a change is sent to Airflow. Stores the account that it changes.

    Raises Conflict if the grant was ended in the meantime, Refused and TooLate like `check_may_be_given`.
    """
    with recording():
        row = locked(grant.pk)
        if row.status != G.APPLYING:
            raise Conflict(f"{row.ref} is {row.get_status_display()} now.")
        check_may_be_given(row)
        _store_account(row, account)
    grant.sent_at = row.sent_at


def confirm_active(grant: Grant, *, account: Account, operation: Operation, trail: Trail) -> None:
    """Airflow shows the role, so the grant's time begins now. Raises Conflict if it was ended in the meantime."""
    now = clock.now()
    _store_account(grant, account)
    GRANT.move(
        grant,
        to=G.ACTIVE,
        verified_at=now,
        ends_at=now + grant.duration,
        failure="",
        **looks.begin(now),
    )
    times: dict[str, Any] = {"verified_at": now.isoformat(), "ends_at": (now + grant.duration).isoformat()}
    record(trail, Verb.GRANT_ACTIVATED, None, grant, operation, **times)


def confirm_gone(grant: Grant, *, kept_for: list[Grant], operation: Operation, trail: Trail) -> None:
    """Airflow no longer shows the role, or the grants `kept_for` still require it. So a grant that was ending has
    ended, and a grant that could not be applied has failed."""
    now = clock.now()
    columns = looks.begin(now) if grant.sent_at else {"look_at": None}
    if grant.end_reason:
        kept = ", ".join(other.ref for other in kept_for)
        GRANT.move(grant, to=G.ENDED, ended_at=now, kept_for=kept, **columns)
        detail = {"end_reason": grant.end_reason, "kept_for": kept, "given": grant.sent_at is not None}
        record(trail, Verb.GRANT_ENDED, None, grant, operation, AuditEvent.Outcome.SUCCESS, **detail)
    else:
        GRANT.move(grant, to=G.FAILED, ended_at=now, **columns)
        _record_failure(trail, Verb.GRANT_FAILED, grant, operation)


def leave_to_others(grant: Grant) -> list[Grant]:
    """The other live grants that require this grant's role. Their `sent_at` is set, so that the role is removed when
    they end."""
    others = requiring.grants_of(grant.beneficiary, grant.deployment).filter(role=grant.role, status__in=REQUIRING)
    live = list(others.exclude(pk=grant.pk).order_by("pk").select_for_update(of=("self",)))
    for other in live:
        if other.sent_at is None:
            _store_account(other, Account(grant.airflow_user, grant.airflow_user_id))
    return live


def give_up(grant: Grant, *, why: str, operation: Operation | None, trail: Trail) -> None:
    """The grant could not be applied. why: in words. Raises Conflict if it was ended in the meantime."""
    if grant.sent_at is None:  # nothing was sent to Airflow, so there is no role to remove
        GRANT.move(grant, to=G.FAILED, failure=why, look_at=None)
        _record_failure(trail, Verb.GRANT_FAILED, grant, operation)
        return
    GRANT.move(grant, to=G.ENDING, failure=why, look_at=None)
    add_operation(REVOKE_ROLE, grant, by=None)
    _record_failure(trail, Verb.GRANT_GIVEN_UP, grant, operation)


def confirm_given_again(grant: Grant, *, account: Account, changed: bool, operation: Operation, trail: Trail) -> None:
    """Airflow shows the role of a live grant again. changed: whether the operation had to restore it."""
    columns = {**looks.begin(clock.now()), "given_again": grant.given_again + changed, "left_at": None, "failure": ""}
    _store_account(grant, account)
    Grant.objects.filter(pk=grant.pk).update(**columns)
    record(trail, Verb.GRANT_GIVEN_AGAIN if changed else Verb.GRANT_FOUND_AGAIN, None, grant, operation)


def leave_to_admins(grant: Grant, *, why: str, trail: Trail) -> None:
    """The role of a live grant could not be restored. why: in words."""
    Grant.objects.filter(pk=grant.pk).update(**looks.leave_to_admins(grant, trail, why=why))


def confirm_taken_again(grant: Grant, *, changed: bool, operation: Operation, trail: Trail) -> None:
    """Airflow no longer shows the role that came back after the end. changed: whether the operation had to remove
    it."""
    Grant.objects.filter(pk=grant.pk).update(**looks.begin(clock.now()))
    if changed:
        record(trail, Verb.GRANT_TAKEN_AGAIN, None, grant, operation)


def _record_failure(trail: Trail, verb: Verb, grant: Grant, operation: Operation | None) -> None:
    record(trail, verb, None, grant, operation, outcome=AuditEvent.Outcome.FAILED, why=grant.failure)


def _store_account(grant: Grant, account: Account) -> None:
    """Store the account of the grant, and, as `sent_at`, the time from which the account may have the role."""
    columns = {"airflow_user": account.name, "airflow_user_id": account.id, "sent_at": grant.sent_at or clock.now()}
    Grant.objects.filter(pk=grant.pk).update(**columns)
    for name, value in columns.items():
        setattr(grant, name, value)
