"""What workers report of a grant: what Airflow was found to show, inside their settling transaction.

With `grants`, the only writer of a grant's status. Nothing is called failed before Airflow shows that the role is not
held through the grant: what could not be given, and may have changed something, is taken away first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portal.access import holding, looks, requiring
from portal.access.grant_changes import locked, put, record
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
    """An account in Airflow as it was matched: its name, and what stays the same when it is renamed."""

    name: str
    id: str = ""


class TooLate(Exception):
    """The grant could not be given in time; `str()` says so, for people."""


def check_may_be_given(grant: Grant) -> None:
    """Raises Refused when the person may not hold it any more, TooLate when the time to give it is over."""
    if grant.apply_by is not None and grant.apply_by <= clock.now():
        raise TooLate(too_late(grant))
    holding.check_may_hold(grant)


def too_late(grant: Grant, *, waited_for: str = "") -> str:
    within = catalogue.policy(grant.policy, grant.policy_version).apply_within
    words = f"It could not be given within {durations.words(within)} and was given up. Ask again if it is still needed."
    return f"{words} Why it waited: {waited_for}" if waited_for else words


def sending(grant: Grant, account: Account) -> None:
    """A change for this grant is about to be sent to Airflow: the last check, and a note of whom it changes.

    Raises Conflict when the grant was ended meanwhile, Refused and TooLate as `check_may_be_given`.
    """
    with recording():
        row = locked(grant.pk)
        if row.status != G.APPLYING:
            raise Conflict(f"{row.ref} is {row.get_status_display()} now.")
        check_may_be_given(row)
        _note(row, account)
    grant.sent_at = row.sent_at


def confirm_active(grant: Grant, *, account: Account, operation: Operation, trail: Trail) -> None:
    """Airflow shows the role: the grant's time runs from now. Raises Conflict when it was ended meanwhile."""
    now = clock.now()
    _note(grant, account)
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
    """Airflow no longer shows the role, or keeps it for the grants `kept_for`: what was to end has ended, and what
    could not be given has failed."""
    now = clock.now()
    watched = looks.begin(now) if grant.sent_at else {"look_at": None}
    if grant.end_reason:
        kept = ", ".join(other.ref for other in kept_for)
        GRANT.move(grant, to=G.ENDED, ended_at=now, kept_for=kept, **watched)
        detail = {"end_reason": grant.end_reason, "kept_for": kept, "given": grant.sent_at is not None}
        record(trail, Verb.GRANT_ENDED, None, grant, operation, AuditEvent.Outcome.SUCCESS, **detail)
    else:
        GRANT.move(grant, to=G.FAILED, ended_at=now, **watched)
        _record_failure(trail, Verb.GRANT_FAILED, grant, operation)


def leave_to_others(grant: Grant) -> list[Grant]:
    """The other live grants that require the role that this one gave. They count as sent from now on, so that their
    end takes the role away."""
    others = requiring.grants_of(grant.beneficiary, grant.deployment).filter(role=grant.role, status__in=REQUIRING)
    live = list(others.exclude(pk=grant.pk).order_by("pk").select_for_update(of=("self",)))
    for other in live:
        if other.sent_at is None:
            _note(other, Account(grant.airflow_user, grant.airflow_user_id))
    return live


def give_up(grant: Grant, *, why: str, operation: Operation | None, trail: Trail) -> None:
    """It could not be given, in words. Raises Conflict when it was ended meanwhile."""
    if grant.sent_at is None:  # nothing was sent: nothing is held through it
        GRANT.move(grant, to=G.FAILED, failure=why, look_at=None)
        _record_failure(trail, Verb.GRANT_FAILED, grant, operation)
        return
    GRANT.move(grant, to=G.ENDING, failure=why, look_at=None)
    put(REVOKE_ROLE, grant, by=None)
    _record_failure(trail, Verb.GRANT_GIVEN_UP, grant, operation)


def confirm_given_again(grant: Grant, *, account: Account, changed: bool, operation: Operation, trail: Trail) -> None:
    """Airflow shows a live grant's role again; `changed` when that took a change."""
    columns = {**looks.begin(clock.now()), "given_again": grant.given_again + changed, "left_at": None, "failure": ""}
    _note(grant, account)
    Grant.objects.filter(pk=grant.pk).update(**columns)
    record(trail, Verb.GRANT_GIVEN_AGAIN if changed else Verb.GRANT_FOUND_AGAIN, None, grant, operation)


def leave_to_admins(grant: Grant, *, why: str, trail: Trail) -> None:
    """A live grant's role could not be given again, in words."""
    Grant.objects.filter(pk=grant.pk).update(**looks.leave_to_admins(grant, trail, why=why))


def confirm_taken_again(grant: Grant, *, changed: bool, operation: Operation, trail: Trail) -> None:
    """Airflow no longer shows what came back after the end."""
    Grant.objects.filter(pk=grant.pk).update(**looks.begin(clock.now()))
    if changed:
        record(trail, Verb.GRANT_TAKEN_AGAIN, None, grant, operation)


def _record_failure(trail: Trail, verb: Verb, grant: Grant, operation: Operation | None) -> None:
    record(trail, verb, None, grant, operation, outcome=AuditEvent.Outcome.FAILED, why=grant.failure)


def _note(grant: Grant, account: Account) -> None:
    """Keep to which account it is given, and since when that may show the role because of it."""
    columns = {"airflow_user": account.name, "airflow_user_id": account.id, "sent_at": grant.sent_at or clock.now()}
    Grant.objects.filter(pk=grant.pk).update(**columns)
    for name, value in columns.items():
        setattr(grant, name, value)
