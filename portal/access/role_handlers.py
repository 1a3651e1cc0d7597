"""The operation handlers of grants. Each makes a person's role list in Airflow match all of the person's grants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from portal.access import airflow_accounts as accounts
from portal.access import grants, outcomes
from portal.access.models import Grant
from portal.access.outcomes import Account, TooLate
from portal.access.role_lists import (
    change_roles,
    check_can_change,
    ensure_role,
    load,
    record_change,
    shown,
    verified,
)
from portal.airflow.bridge import Airflow, AirflowUser
from portal.airflow.clients import client
from portal.audit.record import Trail
from portal.core.errors import Conflict, Refused
from portal.operations import outbox
from portal.operations.handling import Done, NotNeeded, PermanentFailure, RetryLater
from portal.operations.models import Operation

G = Grant.Status
DEACTIVATED = 30.0  # seconds until a deactivated account is checked again


class GrantRole:
    """Gives the role to the beneficiary and checks that Airflow shows it and that the account is active."""

    def execute(self, operation: Operation) -> Done:
        grant = load(operation, G.APPLYING)
        with _allowed(grant):
            outcomes.check_may_be_given(grant)
        airflow = client(operation.deployment, "granter")
        ensure_role(operation, grant, airflow)
        return give(operation, grant, airflow)

    def settle(self, operation: Operation, done: Done, trail: Trail) -> None:
        grant = load(operation, G.APPLYING, locked=True)
        record_change(operation, grant, done, trail)
        outcomes.confirm_active(grant, account=account_of(done.found), operation=operation, trail=trail)

    def give_up(self, operation: Operation, why: str, trail: Trail) -> None:
        grant = load(operation, G.APPLYING, locked=True)
        outcomes.give_up(grant, why=why, operation=operation, trail=trail)


class RestoreRole:
    """Restores the role of a live grant, after Airflow no longer showed it."""

    def execute(self, operation: Operation) -> Done:
        grant = load(operation, G.ACTIVE)
        airflow = client(operation.deployment, "granter")
        ensure_role(operation, grant, airflow)
        return give(operation, grant, airflow)

    def settle(self, operation: Operation, done: Done, trail: Trail) -> None:
        grant = load(operation, G.ACTIVE, locked=True)
        record_change(operation, grant, done, trail)
        outcomes.confirm_given_again(
            grant,
            account=account_of(done.found),
            changed=done.before != done.after,
            operation=operation,
            trail=trail,
        )

    def give_up(self, operation: Operation, why: str, trail: Trail) -> None:
        outcomes.leave_to_admins(load(operation, G.ACTIVE, locked=True), why=why, trail=trail)


class RevokeRole:
    """Removes the role from the beneficiary, unless another live grant requires it. It is retried until it succeeds."""

    statuses: tuple[str, ...] = (G.ENDING,)

    def execute(self, operation: Operation) -> Done:
        grant = load(operation, *self.statuses)
        if grant.sent_at is None:  # nothing was changed in Airflow for this grant
            return Done(shown(None), shown(None))
        airflow = client(operation.deployment, "granter")
        user = accounts.find_account_of(grant, airflow)
        if user is None:
            return Done(shown(None), shown(None))
        if grant.role not in user.roles:
            return verified(grant, shown(user), user, giving=False)
        check_can_change(grant, user, giving=False)
        return change_roles(operation, grant, user, airflow, giving=False)

    def settle(self, operation: Operation, done: Done, trail: Trail) -> None:
        grant = load(operation, *self.statuses, locked=True)
        still_shown = grant.role in done.after["roles"]
        kept_for = outcomes.leave_to_others(grant) if still_shown else []
        if still_shown and not kept_for:
            raise RetryLater(f"Airflow still shows {grant.role}, which no other grant needs.", retry_in=1)
        if grant.sent_at is not None:
            record_change(operation, grant, done, trail)
        self.confirm(operation, grant, done, kept_for, trail)

    def confirm(self, operation: Operation, grant: Grant, done: Done, kept_for: list[Grant], trail: Trail) -> None:
        outcomes.confirm_gone(grant, kept_for=kept_for, operation=operation, trail=trail)

    def give_up(self, operation: Operation, why: str, trail: Trail) -> None:
        raise AssertionError("a removal has no limit of attempts")


class RemoveAgain(RevokeRole):
    """Removes a role that came back after its grant had ended."""

    statuses = (G.ENDED, G.FAILED)

    def confirm(self, operation: Operation, grant: Grant, done: Done, kept_for: list[Grant], trail: Trail) -> None:
        changed = done.before != done.after
        outcomes.confirm_taken_again(grant, changed=changed, operation=operation, trail=trail)


def give(operation: Operation, grant: Grant, airflow: Airflow) -> Done:
    """Give the grant's role to the beneficiary's account, which is created if there is none."""
    person, deployment = grant.beneficiary, operation.deployment
    user = accounts.find(person, deployment, airflow)
    if user is None:
        accounts.check_can_create(
            person, deployment
        )  # first, because `sent_at` must not be set if no account can be created
        _about_to_send(grant, Account(person.username))
        outbox.renew_lease(operation)
        user = accounts.create(person, deployment, airflow, frozenset({grant.role}))
        return verified(grant, shown(None), user, giving=True)
    check_can_change(grant, user, giving=True)
    if not user.active:
        raise RetryLater(
            f"The account “{user.username}” in Airflow on {deployment.name} is deactivated. "
            "Gatehouse gives the role when an Airflow admin has activated the account.",
            retry_in=DEACTIVATED,
        )
    before = partial(_about_to_send, grant, account_of(user))
    return change_roles(operation, grant, user, airflow, giving=True, before=before)


def account_of(user: AirflowUser) -> Account:
    return Account(user.username, user.id)


def _about_to_send(grant: Grant, account: Account) -> None:
    if grant.status == G.APPLYING:
        with _allowed(grant):
            outcomes.prepare_change(grant, account)


@contextmanager
def _allowed(grant: Grant) -> Iterator[None]:
    """Convert the errors of the checks into errors of the executor. A grant that may no longer be held is ended."""
    try:
        yield
    except TooLate as late:
        raise PermanentFailure(str(late)) from None
    except Refused as refusal:
        with suppress(Conflict):  # it is ending already
            grants.end_refused(grant_id=grant.pk, refusal=refusal)
        raise NotNeeded(refusal.detail) from None
    except Conflict as ended:
        raise NotNeeded(ended.detail) from None
