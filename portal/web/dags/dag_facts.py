"""Facts about a DAG for its page and for the list: tags, schedule, who may run it, its page in Airflow."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from portal.airflow import pages
from portal.catalogue.models import Dag
from portal.dags.permissions import Policies
from portal.dags.queries import DagOption
from portal.web.dags import schedules


def facts(option: DagOption, policies: Policies) -> dict[str, Any]:
    state = option.state
    return {
        "schedule": schedules.in_words(state.schedule) if state and state.schedule else "",
        "next_run": state.next_run_at if state and not state.paused else None,
        "tags": [(name, list_address(tag=name)) for name in state.tags] if state else [],
        "who": _who(option.dag, policies),
        "airflow": pages.dag_page(option.dag.deployment, option.dag.dag_id),
    }


def _who(dag: Dag, policies: Policies) -> str:
    """Who may operate the DAG, in words."""
    policy = policies.get(dag.policy)
    asking = [subject for subject in policy.may_request if subject not in dag.who] if policy else []
    said = []
    for subjects, how in ((dag.who, "at once"), (asking, "after an approval")):
        if subjects:
            said.append(f"{', '.join(subject.replace(':', ' ') for subject in subjects)} {how}")
    return "; ".join(said)


def list_address(**given: str) -> str:
    """The address of the list of DAGs with this filter."""
    query = urlencode({name: value for name, value in given.items() if value})
    return f"{reverse('dag_list')}?{query}" if query else reverse("dag_list")
