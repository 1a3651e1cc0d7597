"""Applies a catalogue file. No other code writes the catalogue's tables or assigns roles of the portal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction

from accounts import roles
from accounts.acting import acting
from accounts.permissions import Role
from portal.audit.record import Actor, Trail
from portal.audit.verbs import Verb
from portal.catalogue import covering, loader, queries, rows
from portal.catalogue.document import Document, EntitlementSpec
from portal.catalogue.models import CatalogueVersion, Deployment, Entitlement
from portal.catalogue.plan import Plan, plan
from portal.catalogue.values import LONGEST_WAIT
from portal.core.errors import Conflict

AFTER_APPLY: list[Callable[[Trail], None]] = []
"""What other packages do in the transaction that applies a catalogue. Each adds its function when it is loaded."""
DEPLOYMENTS_CHANGED: list[Callable[[Sequence[Deployment]], None]] = []
"""Like AFTER_APPLY, with the deployments that are new or changed."""
STILL_APPROVERS: list[Callable[[], Iterable[str]]] = []
"""The principals that other packages name as approvers, whatever the file says: they keep the role."""


def _no_name(dag_id: str, level: str) -> str:
    raise NotImplementedError("portal.airflow sets dag_role_name")


dag_role_name: Callable[[str, str], str] = _no_name
"""Returns the name of the Airflow role for one DAG (DAG id, level). portal.airflow sets it when Django is ready."""
ONLY_SPELLING = "no rule changes; only comments, order or spelling differ"


@dataclass(frozen=True)
class Applied:
    """`version` is in force now. `plan`: what it changed. If `plan.same`, nothing was done."""

    version: CatalogueVersion
    plan: Plan


def apply(*, by: Actor, path: Path) -> Applied:
    """Put the file at `path` in force as the next version. If exactly this text is in force, nothing is done.

    Objects that the file no longer names are retired, not deleted, because requests and grants refer to them.
    Raises FileRefused with every mistake, Conflict if another file was applied at the same moment.
    """
    with acting(by, refusal=Verb.CATALOGUE_REFUSED, target=path.name) as (trail, by):
        loaded = loader.load(path)
        current = queries.version_in_force()
        planned = plan(loaded, current)
        if current is not None and planned.same:
            return Applied(current, planned)
        version = _insert(loaded, number=current.number + 1 if current else 1, by=by)
        deployments = _write(loaded.document, version.applied_at)
        roles.assign(_role_rows(loaded.document, version))
        trail.add(
            Verb.CATALOGUE_APPLIED,
            by=by,
            target=path.name,
            detail={
                "version": version.number,
                "sha256": version.sha256,
                "changes": planned.lines or [ONLY_SPELLING],
                "warnings": list(planned.warnings),
            },
        )
        covering.cover(loaded.document, deployments, now=version.applied_at, trail=trail, actor=by)
        for follow_up in AFTER_APPLY:
            follow_up(trail)
    return Applied(version, planned)


def _insert(loaded: loader.Loaded, *, number: int, by: Actor) -> CatalogueVersion:
    """The first write. Of two simultaneous calls, the second one finds its number taken and ends here."""
    try:
        with transaction.atomic():
            return CatalogueVersion.objects.create(
                number=number,
                sha256=loaded.sha256,
                source=loaded.source,
                document=loaded.document.as_json(),
                applied_by=by.get_username(),
            )
    except IntegrityError:
        raise Conflict(
            f"Version {number} was applied by somebody else at the same moment. "
            "Look at the difference (catalogue plan) and apply again."
        ) from None


def _write(document: Document, now: datetime) -> list[Deployment]:
    """Write deployments and entitlements. Returns all deployments, locked: their DAGs are to be written next."""
    deployments, changed = rows.sync(
        Deployment.objects.all(),
        {(name,): {"name": name, **spec.columns()} for name, spec in document.deployments.items()},
        key=("name",),
        now=now,
    )
    for follow_up in DEPLOYMENTS_CHANGED:
        follow_up(changed)
    rows.sync(
        Entitlement.objects.all(),
        {(spec.key,): _entitlement(spec, deployments[(spec.deployment,)]) for spec in document.entitlements},
        key=("key",),
        now=now,
    )
    everything = list(Deployment.objects.order_by("pk"))
    covering.lock(everything)
    return everything


def _entitlement(spec: EntitlementSpec, deployment: Deployment) -> dict[str, Any]:
    of_dag = spec.dag is not None
    return {
        "key": spec.key,
        "deployment": deployment,
        "kind": Entitlement.Kind.DAG if of_dag else Entitlement.Kind.ROLE,
        "role": dag_role_name(spec.dag or "", spec.level or "") if of_dag else spec.role,
        "dag_id": spec.dag or "",
        "level": spec.level or "",
        "title": spec.title,
        "description": spec.description,
        "risk": spec.risk,
        "max_duration": spec.max_duration,
        "policy": spec.policy,
    }


def _role_rows(document: Document, version: CatalogueVersion) -> set[tuple[Role, str]]:
    """Who has which role: the groups to which the file gives one, and every approver.

    Approvers of an earlier version keep the role while a request made under that version may be pending, because such a
    request keeps that version's policy and needs its approvers. A returned request may stay open longer than that.
    """
    found = {(Role(spec.role), f"group:{name}") for name, spec in document.groups.items() if spec.role}
    found |= {(Role.APPROVER, subject) for subject in _approvers(document)}
    found |= {(Role.APPROVER, subject) for named in STILL_APPROVERS for subject in named()}
    replaced_at = version.applied_at
    earlier = CatalogueVersion.objects.defer("source", "document").filter(number__lt=version.number)
    for older in earlier.order_by("-number"):
        if replaced_at + LONGEST_WAIT <= version.applied_at:
            break
        then = queries.document(older)
        waits = [policy.pending_for for policy in then.policies.values() if policy.stages]
        if replaced_at + max(waits, default=timedelta()) > version.applied_at:
            found |= {(Role.APPROVER, subject) for subject in _approvers(then)}
        replaced_at = older.applied_at
    return found


def _approvers(document: Document) -> set[str]:
    stages = [stage for policy in document.policies.values() for stage in policy.stages]
    return {subject for stage in stages for subject in stage.approvers}
