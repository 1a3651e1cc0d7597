"""The page that shows which DAGs each entry of [[dags]] covers on a deployment, and what it offers to whom."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from accounts.guard import requires
from accounts.permissions import Permission
from portal.airflow import listings
from portal.catalogue import covering, freezes
from portal.catalogue import queries as catalogue
from portal.catalogue.dag_spec import DagSpec
from portal.catalogue.document import Document
from portal.catalogue.models import Dag, Deployment
from portal.catalogue.values import is_dag_id
from portal.core.errors import Missing
from portal.ui import words
from portal.ui.htmx import render
from portal.ui.request import Request

SHOWN = 200  # DAGs of one entry, and of those without one


@require_safe
@requires(Permission.SEE_DEPLOYMENTS)
def dag_entries(request: Request, deployment: str) -> HttpResponse:
    found = catalogue.deployments_in_force().filter(name=deployment).first()
    version = catalogue.version_in_force()
    if found is None or version is None:
        raise Missing(f"There is no deployment “{deployment[:40]}” in the catalogue.")
    document = catalogue.document(version)
    covered: dict[str, list[Dag]] = defaultdict(list)
    for dag in catalogue.dags_in_force().filter(deployment=found).select_related("state").order_by("dag_id"):
        covered[dag.entry].append(dag)
    specs = covering.entries_of(document, found.name)
    context = {
        "deployment": found,
        "version": version.number,
        "entries": [_entry(document, spec, covered[spec.key]) for spec in specs],
        "listing": listings.of(found),
        "shown": SHOWN,
        **_without_entry(found, {dag.dag_id for dags in covered.values() for dag in dags}),
    }
    return render(request, "deployments/dag_entries.html", context)


def _without_entry(deployment: Deployment, offered: set[str]) -> dict[str, Any]:
    """DAGs in Airflow's last list that no entry covers, and those that Gatehouse cannot address."""
    known = sorted(listings.known(deployment.url) or ())
    others = [dag_id for dag_id in known if dag_id not in offered]
    return {
        "others": [dag_id for dag_id in others if is_dag_id(dag_id)],
        "impossible": [dag_id for dag_id in others if not is_dag_id(dag_id)],
    }


def _entry(document: Document, spec: DagSpec, dags: list[Dag]) -> dict[str, Any]:
    policy = document.policies.get(spec.policy) if spec.policy else None
    return {
        "name": spec.dag if spec.dag is not None else spec.dag_tag,
        "kind": "tag" if spec.dag is None else "glob" if spec.is_pattern else "one DAG",
        "actions": ", ".join(spec.actions),
        "who": _names(spec.who),
        "policy": spec.policy,
        "asking": _names(policy.may_request) if policy else "",
        "limits": list(_limits(spec)),
        "dags": dags,
    }


def _names(subjects: list[str]) -> str:
    return ", ".join(subject.replace(":", " ") for subject in subjects)


def _limits(spec: DagSpec) -> list[str]:
    said = []
    if spec.max_runs_per_hour:
        said.append(f"at most {spec.max_runs_per_hour} runs per hour")
    if spec.one_at_a_time:
        said.append("one run at a time")
    for name, parameters in (("fixed", spec.locked), ("bounded", spec.bounds)):
        if parameters:
            said.append(f"{name} parameters: {', '.join(parameters)}")
    for window in spec.freeze:
        begins, ends = freezes.span(window.as_json())
        said.append(f"frozen from {words.spoken(begins)} until {words.spoken(ends)}: {window.why}")
    return said


urlpatterns = [path("deployments/<str:deployment>/dags", dag_entries, name="dag_entries")]
