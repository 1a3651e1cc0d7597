"""The list of operable DAGs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from accounts.guard import requires
from accounts.models import User
from accounts.permissions import Permission
from portal.airflow.pages import dag_page
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Dag
from portal.dags import dag_lists, queries
from portal.dags.models import Run
from portal.dags.permissions import Policies
from portal.dags.queries import DagOption
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web.dags import schedules
from portal.web.dags.dag_page import row

SIZE = 25
TAGS = 12  # tags that are offered as filters


@require_safe
@requires(Permission.OPERATE)
def dag_list(request: Request) -> HttpResponse:
    """With `?q=` words, `?tag=` one tag, `?after=` the cursor of the page before."""
    q, tag = request.GET.get("q", "").strip(), request.GET.get("tag", "")
    page = dag_lists.page_of(request.user, q=q, tag=tag, after=request.GET.get("after", ""), size=SIZE)
    started = queries.last_started(option.dag for option in page.options)
    policies = catalogue.policies_in_force()
    rows = [_row(request.user, option, started.get(option.dag.pk), policies) for option in page.options]
    context = {
        "rows": rows,
        "q": q,
        "tag": tag,
        "total": page.total,
        "tags": [(name, count, _address(q=q, tag=name)) for name, count in page.tags[:TAGS]],
        "all_tags": _address(q=q),
        "after": request.GET.get("after", ""),
        "first": _address(q=q, tag=tag),
        "following": _address(q=q, tag=tag, after=page.next) if page.next else "",
        "as_of": min((row["state"].seen_at for row in rows if row["state"]), default=None),
    }
    return render(request, "dags/dag_list.html", context, part="dags")


def _row(user: User, option: DagOption, started: Run | None, policies: Policies) -> dict[str, Any]:
    state = option.state
    return {
        **row(user, option, started),
        "can_ask": option.reason == "needs_approval" and "trigger" in option.dag.actions,
        "schedule": schedules.in_words(state.schedule) if state and state.schedule else "",
        "next_run": state.next_run_at if state and not state.paused else None,
        "tags": [(name, _address(tag=name)) for name in state.tags] if state else [],
        "who": _who(option.dag, policies),
        "airflow": dag_page(option.dag.deployment, option.dag.dag_id),
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


def _address(**given: str) -> str:
    query = urlencode({name: value for name, value in given.items() if value})
    return f"{reverse('dag_list')}?{query}" if query else reverse("dag_list")


urlpatterns = [path("dags", dag_list, name="dag_list")]
