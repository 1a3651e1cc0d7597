"""The pages of the queue: the requests that wait for the reader's decision, and the decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from accounts.guard import requires
from accounts.permissions import Permission
from portal.approvals import actions, queries
from portal.approvals.models import approved_duration
from portal.core import refs
from portal.core.errors import Conflict, GatehouseError, Invalid, Refused
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web import paging
from portal.web.acting import acts_from
from portal.web.kinds import registry
from portal.web.queue import briefing
from portal.web.queue.forms import ApproveForm, DecisionForm, DenyForm, ReturnForm

PAGE = 50


@require_safe
@requires(Permission.DECIDE)
def queue(request: Request) -> HttpResponse:
    """The list. On wide screens, the oldest request is open beside it."""
    context = _list_context(request)
    first = context["rows"][0].request if context["rows"] else None
    part = "queue-list" if request.htmx.target == "queue-list" else ""
    return render(request, "queue/queue.html", {**context, **_pane(request, first)}, part=part)


@require_safe
@requires(Permission.DECIDE)
def queue_item(request: Request, ref: str) -> HttpResponse:
    """The queue with one open request. htmx loads only the pane."""
    chosen = queries.request_for(request.user, refs.parse(refs.REQUEST, ref))
    part = "pane" if request.htmx.target == "pane" else ""
    listed = _list_context(request) if not part else {"after": _after(request)}
    context = {**listed, **_pane(request, chosen), "opened": True}
    return render(request, "queue/queue.html", context, part=part)


def _item(request: Request, ref: str) -> str:
    place = urlencode({"after": _after(request)}) if _after(request) else ""
    return f"{reverse('queue_item', args=[ref])}{'?' if place else ''}{place}"


@requires(Permission.DECIDE)
@acts_from(_item)
def request_approve(request: Request, ref: str) -> HttpResponse:
    form = ApproveForm(request.POST)
    return _decide(request, ref, form, lambda pk, given: actions.approve(request_id=pk, by=request.user, **given))


@requires(Permission.DECIDE)
@acts_from(_item)
def request_deny(request: Request, ref: str) -> HttpResponse:
    form = DenyForm(request.POST)
    return _decide(request, ref, form, lambda pk, given: actions.deny(request_id=pk, by=request.user, **given))


@requires(Permission.DECIDE)
@acts_from(_item)
def request_return(request: Request, ref: str) -> HttpResponse:
    form = ReturnForm(request.POST)
    return _decide(
        request, ref, form, lambda pk, given: actions.return_for_changes(request_id=pk, by=request.user, **given)
    )


def _decide(request: Request, ref: str, form: DecisionForm, act: Callable[[int, dict[str, Any]], Any]) -> HttpResponse:
    """Decide and show the next request. If that fails, show the same one with the errors (422) or conflict (409)."""
    chosen = queries.request_for(request.user, refs.parse(refs.REQUEST, ref))
    try:
        if not form.is_valid():
            actions.check_decision(request_id=chosen.pk, by=request.user, refusal=form.refusal)
            form.focus_first_error()
            return _again(request, chosen, form, status=Invalid.status)
        settled = act(chosen.pk, form.given())
    except Invalid as error:
        form.show_errors(error)
        return _again(request, chosen, form, status=error.status)
    except (Conflict, Refused) as error:
        return _again(request, chosen, None, status=error.status, problem=error)
    tell = messages.warning if registry.of(settled).is_stopped(settled) else messages.success
    tell(request, briefing.outcome(settled, asked=chosen.duration))
    return _next(request, settled)


def _again(
    request: Request,
    chosen: Any,
    form: DecisionForm | None,
    *,
    status: int,
    problem: GatehouseError | None = None,
) -> HttpResponse:
    """The same request and the list, both read again."""
    fresh = queries.request_for(request.user, chosen.pk)
    context = {**_list_context(request), **_pane(request, fresh, form), "problem": problem, "opened": True}
    response = render(request, "queue/queue.html", context, part="queue", status=status)
    response["HX-Retarget"] = "#queue"  # without this header, htmx does not show a 403
    return response


def _next(request: Request, settled: Any) -> HttpResponse:
    """Show the next request. Without JavaScript, this is a redirect."""
    following = briefing.following(settled, by=request.user)
    url = reverse("queue_item", args=[following.ref]) if following else reverse("queue")
    if following and _after(request):
        url = f"{url}?{urlencode({'after': _after(request)})}"
    if not request.htmx:
        return redirect(url)
    context = {**_list_context(request), **_pane(request, following), "opened": following is not None, "moved": True}
    response = render(request, "queue/queue.html", context, part="queue")
    response["HX-Push-Url"] = url
    return response


def _list_context(request: Request) -> dict[str, Any]:
    rows, after = queries.decidable_by(request.user), _after(request)
    page = paging.by_creation(rows, after=after, size=PAGE, name="queue", oldest_first=True)
    return {"rows": registry.rows(queries.full(page.items)), "page": page, "after": after}


def _after(request: Request) -> str:
    """The cursor of the list. Every link and form of the page contains it."""
    return request.GET.get("after", "")


def _pane(request: Request, chosen: Any, form: DecisionForm | None = None) -> dict[str, Any]:
    """The data of the pane. form: the form that was sent, if it has errors."""
    if chosen is None:
        return {"chosen": None, "brief": None, "decided": briefing.last_decisions(request.user)}
    brief = briefing.brief(chosen, reader=request.user)
    approve = form if isinstance(form, ApproveForm) else ApproveForm()
    if chosen.duration is not None:
        approve.offer(approved_duration(chosen) or chosen.duration)
    deny = form if isinstance(form, DenyForm) else DenyForm()
    back = form if isinstance(form, ReturnForm) else ReturnForm()
    return {"chosen": chosen, "brief": brief, "approve_form": approve, "deny_form": deny, "return_form": back}


urlpatterns = [
    path("queue", queue, name="queue"),
    path("queue/<str:ref>", queue_item, name="queue_item"),
    path("requests/<str:ref>/approve", request_approve, name="request_approve"),
    path("requests/<str:ref>/deny", request_deny, name="request_deny"),
    path("requests/<str:ref>/return", request_return, name="request_return"),
]
