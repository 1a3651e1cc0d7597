"""The last known list of an Airflow's DAGs with their tags. Entries of the catalogue by glob or tag cover DAGs of it.

The list belongs to the Airflow, whatever its names in the catalogue. A DAG that is missing from a complete list is kept
for FORGET with its last tags: Airflow leaves a DAG out while it cannot read its file.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from airflow_bridge import BridgeError, Dag
from portal.airflow import clients
from portal.airflow.models import DagListing, DeploymentState, ListedDag
from portal.audit.record import recording
from portal.catalogue import airflows, covering, queries, secrets
from portal.catalogue.models import Deployment
from portal.core import clock

log = logging.getLogger(__name__)

EVERY = timedelta(seconds=60)
FORGET = timedelta(days=30)


def known(url: str) -> dict[str, Sequence[str]] | None:
    """The known DAGs of the Airflow with this address, with their tags; None before the first complete list."""
    airflow = airflows.key_of(url)
    if not DagListing.objects.filter(airflow=airflow).exclude(read_at=None).exists():
        return None
    return dict(ListedDag.objects.filter(airflow=airflow).values_list("dag_id", "tags"))


def of(deployment: Deployment) -> DagListing | None:
    """When the list of this Airflow's DAGs was read; None if it was never tried."""
    return DagListing.objects.filter(airflow=airflows.key(deployment)).first()


def due() -> list[Deployment]:
    """The deployments by which lists of DAGs are to be read now: one for each Airflow whose DAGs are offered."""
    version = queries.version_in_force()
    if version is None:
        return []
    named = {entry.deployment for entry in queries.document(version).dags}
    rows = Deployment.objects.filter(name__in=named, retired_at=None, state__status=DeploymentState.Status.UP)
    found = {airflows.key(deployment): deployment for deployment in reversed(rows.order_by("pk"))}
    fresh = DagListing.objects.filter(airflow__in=found, tried_at__gt=clock.now() - EVERY)
    for airflow in fresh.values_list("airflow", flat=True):
        del found[airflow]
    return list(found.values())


def read(deployment: Deployment) -> list[Dag]:
    """Read the list of DAGs, store it and return it. A list that cannot be read completely changes nothing but the
    reason; then the answer is empty."""
    asked_at = clock.now()
    try:
        seen = list(clients.runner(deployment).dags())
    except (BridgeError, secrets.SecretMissing) as error:
        log.info("%s: the list of DAGs could not be read: %s", deployment.name, error)
        _listing(airflows.key(deployment), tried_at=asked_at, problem=str(error))
        return []
    store(deployment, {dag.dag_id: sorted(dag.tags) for dag in seen}, asked_at=asked_at)
    return seen


def store(deployment: Deployment, seen: Mapping[str, Sequence[str]], *, asked_at: datetime) -> None:
    """Store a complete list and offer the DAGs that the patterns in force cover. A list that is older than the stored
    one is dropped. asked_at: when Airflow was asked."""
    airflow = airflows.key(deployment)
    named = [one for one in airflows.with_same_address(deployment) if one.retired_at is None]
    with recording() as trail:
        covering.lock(named)
        if DagListing.objects.filter(airflow=airflow, read_at__gt=asked_at).exists():
            return
        first = not DagListing.objects.filter(airflow=airflow).exclude(read_at=None).exists()
        changed = _write(airflow, seen, asked_at)
        _listing(airflow, tried_at=asked_at, read_at=asked_at, problem="")
        version = queries.version_in_force()
        if (first or changed) and version is not None:
            named = list(Deployment.objects.filter(pk__in=[one.pk for one in named], retired_at=None))
            covering.cover(queries.document(version), named, now=clock.now(), trail=trail, actor=None)


def _listing(airflow: str, **columns: object) -> None:
    DagListing.objects.update_or_create(airflow=airflow, defaults=columns)


def _write(airflow: str, seen: Mapping[str, Sequence[str]], now: datetime) -> bool:
    """Write the differences between the stored list and `seen`. Returns whether there were any."""
    stored = {row.dag_id: row for row in ListedDag.objects.filter(airflow=airflow)}
    new = [
        ListedDag(airflow=airflow, dag_id=dag_id, tags=list(tags))
        for dag_id, tags in seen.items()
        if dag_id not in stored
    ]
    changed, forgotten = [], []
    for dag_id, row in stored.items():
        tags, missing = (list(seen[dag_id]), None) if dag_id in seen else (row.tags, row.missing_since or now)
        if missing is not None and missing < now - FORGET:
            forgotten.append(row.pk)
        elif (row.tags, row.missing_since) != (tags, missing):
            row.tags, row.missing_since = tags, missing
            changed.append(row)
    ListedDag.objects.bulk_create(new, batch_size=500)
    if changed:
        ListedDag.objects.bulk_update(changed, ["tags", "missing_since"], batch_size=500)
    ListedDag.objects.filter(pk__in=forgotten).delete()
    return bool(new or changed or forgotten)
