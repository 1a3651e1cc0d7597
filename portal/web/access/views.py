"""The pages of access: a person's present and past access; handing back, revoking, trying again."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.http import require_safe

from accounts import people
from accounts.credentials import sees_everybody
from accounts.guard import requires
from accounts.models import User
from accounts.permissions import Permission
from portal.access import grants, queries
from portal.access.models import Grant
from portal.approvals import queries as requests
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.core import refs
from portal.core.errors import Invalid, Refused
from portal.ui import links
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web import lists, paging
from portal.web.acting import acts_from
from portal.web.kinds.access import holding
from portal.web.permits.held import permit_rows
from portal.web.requests import request_page

PAGE = 50


@require_safe
@requires(Permission.HOME)
def access(request: Request) -> HttpResponse:
    """The reader's own access. With ?person= another person's access, for people who may see all access."""
    whose = _whose(request)
    past = request.GET.get("show") == "past"
    context = {
        "whose": whose,
        "own": whose == request.user,
        "past": past,
        "may_see_all": sees_everybody(request.user),
        "live": [] if past else [(grant, holding(request.user, grant)) for grant in queries.held_by(whose)],
        "permits": [] if past else permit_rows(whose),
        "page": None,
    }
    if past:
        context["page"] = paging.by_creation(
            lists.past_of(whose), after=request.GET.get("after", ""), size=PAGE, name="past"
        )
    return render(request, "access/access.html", context, part="holdings")


def _whose(request: Request) -> User:
    name = request.GET.get("person", "").strip()
    if not name or name == request.user.username:
        return request.user
    if not sees_everybody(request.user):
        with recording(refusal=Verb.PAGE_REFUSED, by=request.user, target=request.path):
            raise Refused("Only auditors and admins can see other people's access.", reason="not_permitted")
    return people.by_username(name)


def _page_of(request: Request, ref: str) -> str:
    """The page with the buttons for a grant."""
    return links.of_grant(queries.grant_for(request.user, refs.parse(refs.GRANT, ref)), "#act")


@requires(Permission.REQUEST)
@acts_from(_page_of)
def grant_hand_back(request: Request, ref: str) -> HttpResponse:
    held = queries.grant_for(request.user, refs.parse(refs.GRANT, ref))
    grant = grants.hand_back(grant_id=held.pk, by=request.user)
    messages.success(request, f"You handed back {_named(grant)}.")
    return redirect(links.of_grant(grant))


@requires(Permission.HOME)
@acts_from(_page_of)
def grant_revoke(request: Request, ref: str) -> HttpResponse:
    held = queries.grant_for(request.user, refs.parse(refs.GRANT, ref))
    try:
        grant = grants.revoke(grant_id=held.pk, by=request.user, reason=request.POST.get("reason", ""))
    except Invalid as error:
        if held.request_id is None:
            messages.error(request, error.detail)
            return redirect(links.of_grant(held))
        asked = requests.request_for(request.user, held.request_id)
        summary = [(f"{name}-{held.ref}", words) for name, words in error.fields.items()]
        context = {**request_page.context(request.user, asked), "wrong": error.fields, "summary": summary}
        return render(request, "requests/detail.html", context, status=error.status)
    what = f"“{grant.entitlement.title}” access on {grant.entitlement.deployment.name}"
    messages.success(request, f"You revoked {grant.beneficiary.username}'s {what}.")
    return redirect(links.of_grant(grant))


@requires(Permission.HOME)
@acts_from(_page_of)
def grant_read(request: Request, ref: str) -> HttpResponse:
    """The holder has read the notice on the home page that the access was taken away."""
    held = queries.grant_for(request.user, refs.parse(refs.GRANT, ref))
    grants.mark_read(grant_id=held.pk, by=request.user)
    return redirect("home")


@requires(Permission.REPAIR)
@acts_from(_page_of)
def grant_retry(request: Request, ref: str) -> HttpResponse:
    held = queries.grant_for(request.user, refs.parse(refs.GRANT, ref))
    grant = grants.retry(grant_id=held.pk, by=request.user)
    messages.success(request, f"{grant.ref} is being tried again.")
    return redirect(links.of_grant(grant))


def _named(grant: Grant) -> str:
    return f"“{grant.entitlement.title}” on {grant.entitlement.deployment.name}"


urlpatterns = [
    path("access", access, name="access"),
    path("grants/<str:ref>/hand-back", grant_hand_back, name="grant_hand_back"),
    path("grants/<str:ref>/revoke", grant_revoke, name="grant_revoke"),
    path("grants/<str:ref>/read", grant_read, name="grant_read"),
    path("grants/<str:ref>/retry", grant_retry, name="grant_retry"),
]
