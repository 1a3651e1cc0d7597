"""Which DAGs the entries of [[dags]] cover, and the rows of these DAGs.

One name wins over a glob, and a glob over a tag. Of two globs, the one with more letters besides * and ? wins; of two
equal ones, and of two tags, the first in the file. A glob or a tag covers the DAGs that Airflow has now, so the worker
reads the list of DAGs about once a minute and calls `cover`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from portal.audit.record import Actor, Trail
from portal.audit.verbs import Verb
from portal.catalogue import rows, values
from portal.catalogue.dag_spec import DagSpec
from portal.catalogue.document import Document
from portal.catalogue.models import Dag, Deployment
from portal.core import refs

Known = Mapping[str, Collection[str]]
"""The DAGs of an Airflow with their tags: those of the last complete list, and others that were listed lately."""
NAMED = 50  # DAGs that one event names; the others are only counted


def _nothing_listed(url: str) -> Known | None:
    return None


listed: Callable[[str], Known | None] = _nothing_listed
"""The known DAGs of the Airflow with this address; None before the first complete list. portal.airflow sets it."""


def lock(deployments: Iterable[Deployment]) -> None:
    """Lock the rows of deployments until the end of the transaction, so that `catalogue apply` and the worker wait for
    each other. Others may still refer to the rows."""
    keys = [deployment.pk for deployment in deployments]
    list(Deployment.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk").values_list("pk"))


def covers(entry: DagSpec, dag_id: str, tags: Collection[str]) -> bool:
    """Whether the entry names this DAG, by itself."""
    if entry.dag is None:
        return entry.dag_tag in tags
    return fnmatchcase(dag_id, entry.dag) if entry.is_pattern else dag_id == entry.dag


def _by_rank(entries: Sequence[DagSpec]) -> list[DagSpec]:
    """The patterns among the entries, the strongest first."""

    def weakness(entry: DagSpec) -> tuple[bool, int]:
        return entry.dag is None, -len((entry.dag or "").translate({ord("*"): None, ord("?"): None}))

    return sorted((entry for entry in entries if entry.is_pattern), key=weakness)


def by_dag(entries: Sequence[DagSpec], known: Known | None, present: Mapping[str, str]) -> dict[str, DagSpec]:
    """The entry that covers each DAG of one deployment, by DAG id.

    entries: of this deployment, in the order of the file. present: the key of the entry that now covers each offered
    DAG. It counts only while nothing is known of the Airflow: DAGs stay offered when an Airflow gets another address.
    """
    named = {entry.dag: entry for entry in entries if not entry.is_pattern and entry.dag is not None}
    patterns = _by_rank(entries)
    if known is None:
        tags = {entry.key: [entry.dag_tag] for entry in patterns if entry.dag_tag is not None}
        known = {dag_id: tags.get(key, []) for dag_id, key in present.items()}
    found = dict(named)
    for dag_id, its_tags in known.items() if patterns else ():
        if dag_id in named or not values.is_dag_id(dag_id):
            continue
        entry = next((entry for entry in patterns if covers(entry, dag_id, its_tags)), None)
        if entry is not None:
            found[dag_id] = entry
    return found


def entries_of(document: Document, deployment: str) -> list[DagSpec]:
    """The entries of a deployment, in the order of the file."""
    return [entry for entry in document.dags if entry.deployment == deployment]


def counts(document: Document) -> dict[str, int | None]:
    """How many DAGs each glob and tag of a file would cover, of the DAGs known now; None if no DAG is known."""
    found: dict[str, int | None] = {}
    for name, spec in document.deployments.items():
        entries = entries_of(document, name)
        known = listed(spec.url) if any(entry.is_pattern for entry in entries) else None
        won = Counter(entry.key for entry in by_dag(entries, known, {}).values())
        found |= {entry.key: None if known is None else won[entry.key] for entry in entries if entry.is_pattern}
    return found


def cover(
    document: Document, deployments: Sequence[Deployment], *, now: datetime, trail: Trail, actor: Actor | None
) -> None:
    """Create, change, restore or retire the rows of the DAGs of `deployments`, and record what is offered by a pattern
    or no longer is. The caller holds `lock`.

    document: the file in force. actor: who changed the catalogue; None: Airflow's list changed.
    """
    before = _offered(deployments)
    wanted = {}
    for deployment in deployments:
        entries = [] if deployment.retired_at is not None else entries_of(document, deployment.name)
        for dag_id, entry in by_dag(entries, listed(deployment.url), before[deployment.pk]).items():
            wanted[deployment.pk, dag_id] = {"deployment": deployment, "dag_id": dag_id, **entry.columns()}
    there = Dag.objects.filter(deployment__in=deployments)
    rows.sync(there, wanted, key=("deployment_id", "dag_id"), now=now)
    after: dict[int, dict[str, str]] = defaultdict(dict)
    for (pk, dag_id), columns in wanted.items():
        after[pk][dag_id] = columns["entry"]
    for deployment in deployments:
        if detail := _difference(deployment, before[deployment.pk], after[deployment.pk]):
            trail.add(
                Verb.CATALOGUE_DAGS_COVERED,
                by=actor,
                target=deployment.name,
                about=[refs.deployment(deployment.name)],
                detail=detail,
            )


def _offered(deployments: Iterable[Deployment]) -> dict[int, dict[str, str]]:
    """The entry of each DAG in force, by deployment and DAG id."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    rows_now = Dag.objects.filter(deployment__in=deployments, retired_at=None)
    for pk, dag_id, entry in rows_now.values_list("deployment", "dag_id", "entry"):
        found[pk][dag_id] = entry
    return found


def _difference(deployment: Deployment, before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
    """What patterns offer newly, offer differently, or no longer offer. Single names are in the plan of the file."""

    def by_pattern(dag_id: str, entry: str) -> bool:
        return entry != f"{deployment.name}/{dag_id}"

    lists = {
        "offered": [f"{dag} ({key})" for dag, key in after.items() if dag not in before and by_pattern(dag, key)],
        "moved": [
            f"{dag} ({before[dag]} → {key})" for dag, key in after.items() if before.get(dag, key) not in (key, "")
        ],
        "no_longer": [f"{dag} ({key})" for dag, key in before.items() if dag not in after and by_pattern(dag, key)],
    }
    detail: dict[str, Any] = {}
    for name, found in lists.items():
        if found:
            more = len(found) - NAMED
            detail[name] = sorted(found)[:NAMED] + ([f"and {more} more"] if more > 0 else [])
    return detail
