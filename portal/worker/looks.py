"""The later checks of access in Airflow (`portal.access.looks`): one call to Airflow for all grants of one account."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from portal.access import airflow_accounts as accounts
from portal.access import looks
from portal.access.models import Grant
from portal.airflow.bridge import BridgeError
from portal.airflow.clients import client
from portal.airflow.states import state_of
from portal.catalogue import airflows, secrets
from portal.catalogue.models import Deployment
from portal.core import clock

log = logging.getLogger(__name__)

LATER = timedelta(seconds=60)  # the next check after one that Airflow did not answer
AT_ONCE = 10  # accounts of one Airflow in one visit, so that the checks do not delay other questions


def due_deployments() -> list[Deployment]:
    """The deployments in the catalogue by which the due grants are checked."""
    return airflows.all_current(Deployment.objects.filter(pk__in=looks.due().order_by().values("deployment")))


def due_on(deployment: Deployment) -> Iterator[list[Grant]]:
    """The due grants of a deployment, grouped by the account in Airflow; at most AT_ONCE accounts."""
    rows = looks.due().filter(deployment__in=airflows.served_by(deployment))[: AT_ONCE * 10]
    groups: dict[tuple[int, str, str], list[Grant]] = {}
    for grant in rows:
        groups.setdefault((grant.beneficiary_id, grant.airflow_user, grant.airflow_user_id), []).append(grant)
    yield from islice(groups.values(), AT_ONCE)


def check_account(group: list[Grant]) -> None:
    """Check the grants of one account."""
    deployment = airflows.current(group[0].deployment)
    try:
        seen = _ask(group[0], deployment) if state_of(deployment).can_be_worked_on("granter") else None
    except (BridgeError, secrets.SecretMissing) as error:
        log.info("%s: the check of %s is postponed: %s", deployment.name, group[0].ref, error)
        seen = None
    for grant in group:
        if seen is None:
            looks.postpone(grant, by=LATER)
        else:
            looks.look(grant.pk, seen)


def _ask(grant: Grant, deployment: Deployment) -> looks.Seen:
    asked_at = clock.now()
    user = accounts.find_account_of(grant, client(deployment, "granter"))
    if user is None:
        return looks.Seen(asked_at, None)
    # an account that only has the same name may be another person's, so its id is not stored
    known = user.id if accounts.has_same_email(grant.beneficiary, user) else ""
    return looks.Seen(asked_at, user.roles, usable=user.active, name=user.username, id=known)
