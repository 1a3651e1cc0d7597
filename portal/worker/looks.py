"""The second looks of `portal.access.looks`: one request to Airflow for all grants of one account."""

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

LATER = timedelta(seconds=60)  # where Airflow could not be asked
AT_ONCE = 10  # accounts of one Airflow in one turn: looking is never in the way of what is to be done


def where_due() -> list[Deployment]:
    """The deployments through which to ask about the grants that are to be looked at now."""
    return airflows.all_current(Deployment.objects.filter(pk__in=looks.due().order_by().values("deployment")))


def due_at(through: Deployment) -> Iterator[list[Grant]]:
    """The grants to look at there now, by the account they were given to; a few accounts at once."""
    rows = looks.due().filter(deployment__in=airflows.served_by(through))[: AT_ONCE * 10]
    groups: dict[tuple[int, str, str], list[Grant]] = {}
    for grant in rows:
        groups.setdefault((grant.beneficiary_id, grant.airflow_user, grant.airflow_user_id), []).append(grant)
    yield from islice(groups.values(), AT_ONCE)


def look_at(group: list[Grant]) -> None:
    """One look at grants that were given to one account."""
    through = airflows.current(group[0].deployment)
    try:
        seen = _ask(group[0], through) if state_of(through).can_be_worked_on("granter") else None
    except (BridgeError, secrets.SecretMissing) as error:
        log.info("%s: the second look at %s has to wait: %s", through.name, group[0].ref, error)
        seen = None
    for grant in group:
        if seen is None:
            looks.postpone(grant, by=LATER)
        else:
            looks.look(grant.pk, seen)


def _ask(grant: Grant, through: Deployment) -> looks.Seen:
    asked_at = clock.now()
    user = accounts.find_given(grant, client(through, "granter"))
    if user is None:
        return looks.Seen(asked_at, None)
    # the id of an account that only has the right name may be somebody else's: it is not learnt
    known = user.id if accounts.is_theirs(grant.beneficiary, user) else ""
    return looks.Seen(asked_at, user.roles, usable=user.active, name=user.username, id=known)
