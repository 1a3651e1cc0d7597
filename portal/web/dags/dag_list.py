"""The list of operable DAGs."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from accounts.guard import requires
from accounts.models import User
from accounts.permissions import Permission
from portal.catalogue import queries as catalogue
from portal.dags import dag_lists, queries
from portal.dags.models import Run
from portal.dags.permissions import Policies
from portal.dags.queries import DagOption
from portal.dags.variables import offered
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web.dags.dag_facts import facts, list_address
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
        "tags": [(name, count, list_address(q=q, tag=name)) for name, count in page.tags[:TAGS]],
        "all_tags": list_address(q=q),
        "after": request.GET.get("after", ""),
        "first": list_address(q=q, tag=tag),
        "has_variables": next(offered.visible_to(request.user, policies), None) is not None,
        "following": list_address(q=q, tag=tag, after=page.next) if page.next else "",
        "as_of": min((row["state"].seen_at for row in rows if row["state"]), default=None),
    }
    return render(request, "dags/dag_list.html", context, part="dags")


def _row(user: User, option: DagOption, started: Run | None, policies: Policies) -> dict[str, Any]:
    return {**row(user, option, started), **facts(option, policies), "can_ask": option.must_ask}


urlpatterns = [path("dags", dag_list, name="dag_list")]
