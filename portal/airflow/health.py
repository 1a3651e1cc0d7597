"""Checks of each deployment: whether it is up and accepts both accounts. A change of its status is recorded."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from django.db.models import Q, QuerySet

from airflow_bridge import BridgeError, Forbidden, RateLimited, Unauthorised
from portal.airflow import findings
from portal.airflow.clients import client
from portal.airflow.models import DeploymentState
from portal.airflow.service_accounts import ACCOUNTS
from portal.airflow.states import state_of
from portal.audit.models import AuditEvent
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.catalogue import secrets
from portal.catalogue.models import Deployment
from portal.core import clock, refs

log = logging.getLogger(__name__)
S = DeploymentState.Status

EVERY = timedelta(seconds=30)  # while it is up
EVERY_WHILE_AWAY = timedelta(seconds=4)
SELDOM = timedelta(minutes=5)  # while it refuses an account: directories lock accounts after failed sign-ins
VERBS = {
    S.UP: Verb.DEPLOYMENT_UP,
    S.DOWN: Verb.DEPLOYMENT_DOWN,
    S.NEEDS_REAUTHENTICATION: Verb.DEPLOYMENT_LOCKED_OUT,
}


def watched(*, with_work: Iterable[int]) -> QuerySet[Deployment]:
    """The deployments in the catalogue, and the retired ones among `with_work` (primary keys)."""
    return Deployment.objects.select_related("state").filter(Q(retired_at=None) | Q(pk__in=with_work))


def is_due(deployment: Deployment) -> bool:
    """Whether it is time to check the deployment."""
    state = state_of(deployment)
    return state.checked_at is None or state.checked_at <= clock.now() - _every(state)


def _every(state: DeploymentState) -> timedelta:
    """The interval of the checks. It grows while an account is refused, up to SELDOM."""
    if state.status == S.NEEDS_REAUTHENTICATION and state.status_since and state.checked_at:
        return min(SELDOM, max(EVERY_WHILE_AWAY, (state.checked_at - state.status_since) / 4))
    return EVERY if state.status == S.UP else EVERY_WHILE_AWAY


def suspect(deployment: Deployment) -> None:
    """A call got no answer, so the deployment is checked next. The check shows whether it is down."""
    DeploymentState.objects.filter(pk=deployment.pk).exclude(status=S.DOWN).update(checked_at=None)


def check(deployment: Deployment, *, examine: bool = False) -> bool:
    """Sign in with both accounts, make a call with each, and store the result. Returns the result of `mark`.

    The deployment is down if several different calls fail. A single failed call is only stored as a detail.
    examine: read capabilities and permissions too, even if they were read a short time ago.
    """
    try:
        refused, failed = _sign_in(deployment)
        if len(failed) == 1:
            failed |= _failed_without_account(deployment)
        if len(failed) > 1:
            return mark(deployment, S.DOWN, failed.popitem()[1])
        if refused:
            return mark(deployment, S.NEEDS_REAUTHENTICATION, " ".join(refused.values()), refused=refused)
        if failed:
            return mark(deployment, S.UP, " ".join(failed.values()))
        return _examine(deployment, examine=examine)
    except RateLimited as error:  # Airflow answers but accepts no calls now, so the status stays
        _row(deployment)
        columns = {"checked_at": clock.now(), **findings.asks_to_wait(error)}
        DeploymentState.objects.filter(pk=deployment.pk).update(**columns)
        deployment.refresh_from_db()
        return False


def _sign_in(deployment: Deployment) -> tuple[dict[str, str], dict[str, str]]:
    """The refused accounts and the accounts whose call failed, each with the reason. Raises RateLimited.

    An account that lacks its role (403) counts as refused.
    """
    refused: dict[str, str] = {}
    failed: dict[str, str] = {}
    for account in ACCOUNTS:
        try:
            client(deployment, account).check()
        except (Unauthorised, Forbidden, secrets.SecretMissing) as error:
            refused[account] = str(error)
        except RateLimited:
            raise
        except BridgeError as error:
            failed[account] = str(error)
    return refused, failed


def _failed_without_account(deployment: Deployment) -> dict[str, str]:
    """The failure of a call that needs no account; empty if it succeeds."""
    try:
        client(deployment, "runner").version()
    except RateLimited:
        raise
    except BridgeError as error:
        return {"version": str(error)}
    except secrets.SecretMissing:  # `_sign_in` has already found this
        pass
    return {}


def _examine(deployment: Deployment, *, examine: bool) -> bool:
    """Read and store the properties of a deployment that accepts both accounts."""
    granter, runner = client(deployment, "granter"), client(deployment, "runner")
    try:
        found = findings.find(_row(deployment), granter, runner, examine=examine)
    except (Unauthorised, Forbidden) as error:
        return mark(deployment, S.NEEDS_REAUTHENTICATION, str(error))
    except RateLimited:
        raise
    except BridgeError as error:
        return mark(deployment, S.UP, str(error))
    return mark(deployment, S.UP, "", found=found)


def refuse(deployment: Deployment, account: str, why: str) -> bool:
    """Store that an account was just refused. Returns the result of `mark`."""
    state = _row(deployment)  # read anew: the other account may have been refused meanwhile
    refused = {name for name in ACCOUNTS if state.refuses(name)} | {account}
    return mark(deployment, S.NEEDS_REAUTHENTICATION, why, refused=refused)


def mark(
    deployment: Deployment,
    status: DeploymentState.Status,
    detail: str,
    *,
    refused: Collection[str] = ACCOUNTS,
    found: Mapping[str, object] | None = None,
) -> bool:
    """Store the state of a deployment, and record a change of its status.

    refused: the refused accounts, with status needs_reauthentication. found: the result of `findings.find`.
    Returns whether operations that waited for the deployment, or for one of its accounts, can continue now.
    """
    now, state = clock.now(), _row(deployment)
    unusable = [account for account in ACCOUNTS if not state.can_be_worked_on(account)]
    columns: dict[str, object] = {"checked_at": now, "status_detail": detail, **(found or {})}
    if status != S.DOWN:
        columns |= {f"{name}_refused": status != S.UP and name in refused for name in ACCOUNTS}
    with recording() as trail:
        rows = DeploymentState.objects.filter(pk=deployment.pk)
        changed = rows.exclude(status=status).update(status=status, status_since=now, **columns) == 1
        if changed:
            if status != S.UP:
                log.error("%s: %s. %s", deployment.name, status.label, detail)
            trail.add(
                VERBS[status],
                by=None,
                target=deployment.name,
                about=[refs.deployment(deployment.name)],
                outcome=AuditEvent.Outcome.SUCCESS if status == S.UP else AuditEvent.Outcome.FAILED,
                detail={"said": detail} if detail else {},
            )
        else:
            rows.update(**columns)
    deployment.refresh_from_db()
    state = state_of(deployment)
    return (changed and status == S.UP) or any(state.can_be_worked_on(account) for account in unusable)


def _row(deployment: Deployment) -> DeploymentState:
    """The stored state, read anew."""
    return DeploymentState.objects.get_or_create(deployment=deployment)[0]
