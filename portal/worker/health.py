"""Whether each deployment can be worked on: found by asking, kept on its row, told to people by an event."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils import timezone

from airflow_bridge import BridgeError, Forbidden, RateLimited, Unauthorised
from portal.audit.models import AuditEvent
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.catalogue import secrets
from portal.catalogue.models import Deployment
from portal.catalogue.queries import deployments_in_force
from portal.dags.live import client
from portal.operations import outbox
from portal.worker import findings

log = logging.getLogger(__name__)
S = Deployment.Status

EVERY = timedelta(seconds=30)  # while all is well
EVERY_WHILE_AWAY = timedelta(seconds=4)
VERBS = {
    S.UP: Verb.DEPLOYMENT_UP,
    S.DOWN: Verb.DEPLOYMENT_DOWN,
    S.NEEDS_REAUTHENTICATION: Verb.DEPLOYMENT_LOCKED_OUT,
}


def can_be_worked_on(deployment: Deployment) -> bool:
    """Whether operations may be tried there: not while it is known to be away or to refuse us; the look finds out."""
    return deployment.status not in (S.DOWN, S.NEEDS_REAUTHENTICATION)


def look_at_all() -> None:
    """Ask every deployment that is due to be asked."""
    now = timezone.now()
    for deployment in deployments_in_force():
        every = EVERY if deployment.status == S.UP else EVERY_WHILE_AWAY
        if deployment.checked_at is None or deployment.checked_at <= now - every:
            look_at(deployment)


def look_at(deployment: Deployment) -> None:
    """Sign in with both accounts, make one call each, and keep what came of it."""
    try:
        granter, runner = client(deployment, "granter"), client(deployment, "runner")
        granter.check()
        runner.check()
        version, found = runner.capabilities().version, findings.find(deployment, granter, runner)
    except (Unauthorised, Forbidden, secrets.SecretMissing) as error:  # an account without its role is as good as none
        mark(deployment, S.NEEDS_REAUTHENTICATION, str(error))
    except RateLimited:  # it answers, and wants to be asked less often: nothing new was learnt
        Deployment.objects.filter(pk=deployment.pk).update(checked_at=timezone.now())
        deployment.refresh_from_db()
    except BridgeError as error:
        mark(deployment, S.DOWN, str(error))
    else:
        mark(deployment, S.UP, "", version=version, found=found)


def mark(
    deployment: Deployment,
    status: Deployment.Status,
    detail: str,
    *,
    version: str = "",
    found: findings.Found | None = None,
) -> None:
    """Keep a deployment's state. A change is an event; coming back wakes the operations that wait for it."""
    now = timezone.now()
    columns: dict[str, object] = {"checked_at": now, "status_detail": detail}
    if found is not None:
        columns |= {"airflow_version": version, "found": found}
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
                deployment=deployment.name,
                outcome=AuditEvent.Outcome.SUCCESS if status == S.UP else AuditEvent.Outcome.FAILED,
                detail={"said": detail} if detail else {},
            )
        else:
            rows.update(**columns)
    deployment.refresh_from_db()
    if changed and status == S.UP:
        outbox.wake(deployment)
