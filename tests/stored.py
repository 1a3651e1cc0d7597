"""What many tests begin with is worked out once in a process; what it stored is stored again for each of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.models import AutoField, Model
from django.utils import timezone

from accounts.models import RoleAssignment
from accounts.operator import Operator
from portal.airflow import health, states
from portal.airflow.models import DagListing, DeploymentState, ListedDag
from portal.airflow.states import state_of
from portal.audit.models import AuditEvent
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.catalogue import airflows
from portal.catalogue.models import CatalogueVersion, Dag, Deployment, Entitlement
from portal.dags.models import DagState, VariableState


@dataclass(frozen=True)
class Offered:
    """What `catalogue apply` stored of the demo's catalogue, where none was in force before."""

    url: str
    rows: Mapping[type[Model], list[dict[str, Any]]]
    detail: Mapping[str, Any]

    @classmethod
    def now(cls, url: str) -> Offered:
        models = (RoleAssignment, CatalogueVersion, Deployment, Entitlement, Dag)
        rows = {model: [_columns(row) for row in model._default_manager.order_by("pk")] for model in models}
        return cls(url, rows, AuditEvent.objects.get(verb=Verb.CATALOGUE_APPLIED).detail)

    def store(self, folder: Path, url: str) -> CatalogueVersion:
        """The same rows, event and file, as if it had been applied now with this address of its Airflow."""
        (was,) = self.rows[CatalogueVersion]
        source = was["source"].replace(self.url, url)
        changed = {self.url: url, was["sha256"]: hashlib.sha256(source.encode()).hexdigest()}
        for model, rows in self.rows.items():
            of = {"deployment": Deployment.objects.get()} if model in (Entitlement, Dag) else {}
            model._default_manager.bulk_create(model(**_with(changed, row), **of) for row in rows)
        states.reset(list(Deployment.objects.all()))
        file = folder / "gatehouse.toml"
        with recording() as trail:
            trail.add(
                Verb.CATALOGUE_APPLIED, by=Operator("tests"), target=file.name, detail=_with(changed, self.detail)
            )
        file.write_text(source)
        return CatalogueVersion.objects.get()


@dataclass(frozen=True)
class Found:
    """What the worker stored of `demo` and its DAGs after a look."""

    state: Mapping[str, object]
    dags: Mapping[str, Mapping[str, object]]
    listed: Mapping[str, list[str]]
    variables: list[Mapping[str, object]]

    @classmethod
    def now(cls) -> Found:
        state = state_of(Deployment.objects.get())
        dags = {one.dag.dag_id: _columns(one) for one in DagState.objects.select_related("dag")}
        variables = [_columns(one) for one in VariableState.objects.all()]
        return cls(_columns(state), dags, dict(ListedDag.objects.values_list("dag_id", "tags")), variables)

    def store(self) -> None:
        """The same rows and event, as if it had been looked at now."""
        deployment, now = Deployment.objects.get(), timezone.now()
        found = {name: value for name, value in self.state.items() if not name.startswith(("status", "checked"))}
        health.mark(deployment, DeploymentState.Status.UP, "", found={**found, "examined_at": now})
        airflow = airflows.key(deployment)
        DagListing.objects.create(airflow=airflow, tried_at=now, read_at=now)
        ListedDag.objects.bulk_create(
            ListedDag(airflow=airflow, dag_id=one, tags=tags) for one, tags in self.listed.items()
        )
        keys = dict(Dag.objects.values_list("dag_id", "pk"))
        DagState.objects.bulk_create(
            DagState(**{**columns, "seen_at": now}, dag_id=keys[dag_id]) for dag_id, columns in self.dags.items()
        )
        VariableState.objects.bulk_create(
            VariableState(**{**columns, "seen_at": now, "tried_at": now}, deployment=deployment)
            for columns in self.variables
        )


def _with(changed: Mapping[str, str], columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns with each text of `changed` replaced, wherever it stands in them."""
    text = json.dumps({name: value for name, value in columns.items() if isinstance(value, str | list | dict)})
    for old, new in changed.items():
        text = text.replace(old, new)
    return {**columns, **json.loads(text)}


def _columns(row: Model) -> dict[str, Any]:
    """All columns but references and numbers that the database gives."""
    fields = row._meta.concrete_fields
    kept = [one for one in fields if not isinstance(one, AutoField) and not one.is_relation]
    return {one.attname: getattr(row, one.attname) for one in kept}
