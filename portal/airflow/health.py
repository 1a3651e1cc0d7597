"""Whether each deployment can be worked on: found by asking, kept on its row, told to people by an event."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Q, QuerySet

from airflow_bridge import BridgeError, Forbidden, RateLimited, Unauthorised
from portal.airflow import findings
from portal.airflow.clients import client
from portal.audit.models import AuditEvent
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.catalogue import secrets
from portal.catalogue.models import Deployment
from portal.core import clock, refs

log = logging.getLogger(__name__)
S = Deployment.Status

EVERY = timedelta(seconds=30)  # while all is well
EVERY_WHILE_AWAY = timedelta(seconds=4)
SELDOM = timedelta(minutes=5)  # the longest while it refuses us: a directory locks accounts that are refused often
VERBS = {
    S.UP: Verb.DEPLOYMENT_UP,
    S.DOWN: Verb.DEPLOYMENT_DOWN,
    S.NEEDS_REAUTHENTICATION: Verb.DEPLOYMENT_LOCKED_OUT,
}


def watched(*, with_work: Iterable[int]) -> QuerySet[Deployment]:
    """The deployments in the catalogue, and those of `with_work` (primary keys) that left it."""
    return Deployment.objects.filter(Q(retired_at=None) | Q(pk__in=with_work))


def is_due(deployment: Deployment) -> bool:
    """Whether it is to be asked now how it is."""
    return deployment.checked_at is None or deployment.checked_at <= clock.now() - _every(deployment)


def _every(deployment: Deployment) -> timedelta:
    """While it refuses us, less and less often."""
    if deployment.status == S.NEEDS_REAUTHENTICATION and deployment.status_since and deployment.checked_at:
        return min(SELDOM, max(EVERY_WHILE_AWAY, (deployment.checked_at - deployment.status_since) / 4))
    return EVERY if deployment.status == S.UP else EVERY_WHILE_AWAY


def suspect(deployment: Deployment) -> None:
    """A call failed without an answer: the deployment is to be looked at now, which says whether it is away."""
    Deployment.objects.filter(pk=deployment.pk).exclude(status=S.DOWN).update(checked_at=None)


def look_at(deployment: Deployment) -> bool:
    """Sign in with both accounts, make one call each, and keep what came of it. Returns what `mark` does.

    It is down when several different calls fail. One that fails alone is said, and holds up nothing else.
    """
    try:
        refused, failed = _sign_in(deployment)
        if len(failed) == 1:
            failed |= _failed_without_account(deployment)
        if len(failed) > 1:
            return mark(deployment, S.DOWN, failed.popitem()[1])
        if refused:
            said = " ".join(refused.values())
            found = deployment.found | {"refused": list(refused)}
            return mark(deployment, S.NEEDS_REAUTHENTICATION, said, found=found)
        if failed:
            return mark(deployment, S.UP, " ".join(failed.values()))
        return _look_into(deployment)
    except RateLimited as error:  # it answers, and wants to be asked less often: nothing else was learnt
        found = deployment.found | {"asks_to_wait": findings.asks_to_wait(error)}
        Deployment.objects.filter(pk=deployment.pk).update(checked_at=clock.now(), found=found)
        deployment.refresh_from_db()
        return False


def _sign_in(deployment: Deployment) -> tuple[dict[str, str], dict[str, str]]:
    """The accounts that are refused, and those whose call failed, each with why. Raises RateLimited.

    An account that lacks its role (403) counts as refused.
    """
    refused: dict[str, str] = {}
    failed: dict[str, str] = {}
    for account in ("granter", "runner"):
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
    """The same for a call that needs no account."""
    try:
        client(deployment, "runner").version()
    except RateLimited:
        raise
    except BridgeError as error:
        return {"version": str(error)}
    except secrets.SecretMissing:  # said of the account
        pass
    return {}


def _look_into(deployment: Deployment) -> bool:
    """Find out what it is like, now that it lets both accounts in."""
    granter, runner = client(deployment, "granter"), client(deployment, "runner")
    try:
        found = findings.find(deployment, granter, runner)
        version = runner.capabilities().version
    except (Unauthorised, Forbidden) as error:
        return mark(deployment, S.NEEDS_REAUTHENTICATION, str(error))
    except RateLimited:
        raise
    except BridgeError as error:
        return mark(deployment, S.UP, str(error))
    return mark(deployment, S.UP, "", version=version, found=found)


def refuse(deployment: Deployment, account: str, why: str) -> bool:
    """One of the accounts was just refused. Returns what `mark` does."""
    deployment.refresh_from_db()  # the other may have been refused since it was read
    refused = {name for name in deployment.accounts if deployment.refuses(name)} | {account}
    return mark(deployment, S.NEEDS_REAUTHENTICATION, why, found=deployment.found | {"refused": sorted(refused)})


def mark(
    deployment: Deployment,
    status: Deployment.Status,
    detail: str,
    *,
    version: str = "",
    found: findings.Found | None = None,
) -> bool:
    """Keep a deployment's state; a change of status is an event.

    Returns whether work that waited for the deployment, or for one of its accounts, can go on now.
    """
    now = clock.now()
    before = {account for account in deployment.accounts if not deployment.can_be_worked_on(account)}
    columns: dict[str, object] = {"checked_at": now, "status_detail": detail}
    if found is not None:
        columns["found"] = found
    if version:
        columns["airflow_version"] = version
    with recording() as trail:
        rows = Deployment.objects.filter(pk=deployment.pk)
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
    return (changed and status == S.UP) or any(deployment.can_be_worked_on(account) for account in before)
