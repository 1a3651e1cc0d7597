"""The pages of access requests: the list, the form, the page of a request."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.guard import requires
from accounts.permissions import Permission
from portal.access import queries
from portal.access.actions import submit
from portal.approvals import actions, kinds, resubmitting
from portal.approvals import queries as requests
from portal.approvals.comments import comment
from portal.catalogue import queries as catalogue
from portal.core import refs
from portal.core.errors import Conflict, Invalid, Refused
from portal.dags.requests import run_starts
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web import lists, paging
from portal.web.acting import acts_from
from portal.web.kinds import registry
from portal.web.requests import policy_words, request_page, told, words
from portal.web.requests.answer_forms import CancelForm, CommentForm, seen_round
from portal.web.requests.forms import RequestForm

PAGE = 25
TABS = {"open": "Open", "held": "Held now", "closed": "Closed", "all": "All"}
CHOSEN = {"open": lists.on_its_way, "held": lists.held, "closed": lists.closed}


@require_safe
@requires(Permission.HOME)
def request_list(request: Request) -> HttpResponse:
    """The requests that the reader made, or that somebody made for them."""
    tab = request.GET.get("show", "open")
    rows = lists.asked_by(request.user)
    rows = CHOSEN[tab](rows) if tab in CHOSEN else rows
    page = paging.by_creation(rows, after=request.GET.get("after", ""), size=PAGE, name="requests")
    context = {
        "rows": registry.rows(requests.full(page.items)),
        "page": page,
        "tabs": TABS,
        "tab": tab if tab in TABS else "all",
    }
    return render(request, "requests/list.html", context, part="requests")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.REQUEST)
def request_new(request: Request) -> HttpResponse:
    """The search for an entitlement. With ?entitlement=KEY: the form for it."""
    key = request.POST.get("entitlement") or request.GET.get("entitlement", "")
    if key:
        return _submit(request, key) if request.method == "POST" else _form(request, key)
    q = request.GET.get("q", "").strip()
    options = queries.options_for(request.user, q=q)
    context = {"q": q, "rows": [(option, policy_words.who_decides(option)) for option in options]}
    return render(request, "requests/search.html", context, part="results")


def _form(request: Request, key: str) -> HttpResponse:
    option = queries.option_for(request.user, key)
    preview = "preview" in request.GET
    form = RequestForm(request.GET if preview else None, option=option, begin_with=_default(option))
    return render(request, "requests/new.html", _form_context(option, form), part="preview" if preview else None)


def _submit(request: Request, key: str) -> HttpResponse:
    option = queries.option_for(request.user, key)
    form, status = RequestForm(request.POST, option=option, begin_with=_default(option)), 422
    if form.is_valid():
        try:
            made = submit(by=request.user, entitlement=option.entitlement, **form.given())
        except (Invalid, Refused, Conflict) as error:
            form.show_errors(error)
            status = error.status
        else:
            told.of_sending(request, made)
            return redirect("request_detail", made.ref)
    return render(request, "requests/new.html", _form_context(option, form), part="ask", status=status)


def _default(option: queries.Option) -> timedelta | None:
    return catalogue.default_durations().get(option.entitlement.key)


def _form_context(option: queries.Option, form: RequestForm) -> dict[str, Any]:
    return {
        "option": option,
        "form": form,
        "outlook": words.outlook(option, form),
        "rules": policy_words.rules(option),
        "next_steps": policy_words.next_steps(option),
    }


@require_safe
@requires(Permission.HOME)
def request_detail(request: Request, ref: str) -> HttpResponse:
    """A request. The page loads itself again with ?seen=MARK; the answer is 204 if nothing has changed."""
    asked = requests.request_for(request.user, refs.parse(refs.REQUEST, ref))
    context = request_page.context(request.user, asked)
    context["followed_from"] = request.GET.get("was", asked.status)  # the status when the page was opened
    if request.htmx and request.GET.get("seen") == context["mark"]:
        return HttpResponse(status=204)
    return render(request, "requests/detail.html", context, part="progress")


@requires(Permission.REQUEST)
@acts_from(lambda request, ref: reverse("request_detail", args=[ref]))
def request_withdraw(request: Request, ref: str) -> HttpResponse:
    asked = requests.request_for(request.user, refs.parse(refs.REQUEST, ref))
    actions.withdraw(request_id=asked.pk, by=request.user)
    messages.success(request, f"You withdrew {asked.ref}. It is closed.")
    return redirect("request_detail", asked.ref)


@requires(Permission.HOME)
@acts_from(lambda request, ref: reverse("request_detail", args=[ref]))
def request_cancel(request: Request, ref: str) -> HttpResponse:
    """Cancel the scheduled start of a run, or show the errors (422)."""
    asked = requests.request_for(request.user, refs.parse(refs.REQUEST, ref))
    form = CancelForm(request.POST)
    try:
        run_starts.cancel(request_id=asked.pk, by=request.user, reason=form.data.get("reason", ""))
    except Invalid as error:
        form.show_errors(error)
        summary = [(form[name].id_for_label, words) for name, words in error.fields.items()]
        context = {**request_page.context(request.user, asked), "cancel_form": form, "summary": summary}
        return render(request, "requests/detail.html", context, status=error.status)
    messages.success(request, f"You cancelled the start of {asked.ref}. The run is not started.")
    return redirect("request_detail", asked.ref)


@requires(Permission.REQUEST)
@acts_from(lambda request, ref: reverse("request_detail", args=[ref]))
def request_resubmit(request: Request, ref: str) -> HttpResponse:
    """Send a returned request again, or show the errors (422)."""
    asked = requests.request_for(request.user, refs.parse(refs.REQUEST, ref))
    form = registry.of(asked).again_form(asked, kinds.of(asked).made_under(asked), request.POST)
    status = Invalid.status
    if not form.is_valid():
        resubmitting.check_resubmission(request_id=asked.pk, by=request.user)
    elif asked.status == asked.Status.PENDING and seen_round(request.POST) == asked.round - 1:
        messages.warning(request, f"{asked.ref} was sent again before. This form changed nothing.")
        return redirect("request_detail", asked.ref)
    else:
        try:
            resubmitting.resubmit(request_id=asked.pk, by=request.user, **form.given())
        except (Invalid, Refused) as error:
            form.show_errors(error)
            status = error.status
        else:
            messages.success(request, f"{asked.ref} was sent again. This page shows its progress.")
            return redirect("request_detail", asked.ref)
    context = request_page.context(request.user, asked, again_form=form)
    return render(request, "requests/detail.html", context, status=status)


@requires(Permission.HOME)
@acts_from(lambda request, ref: reverse("request_detail", args=[ref]))
def request_comment(request: Request, ref: str) -> HttpResponse:
    asked = requests.request_for(request.user, refs.parse(refs.REQUEST, ref))
    form = request_page.comment_form_of(request.user, asked, request.POST) or CommentForm(
        request.POST, to_approvers=False
    )
    if form.is_valid():
        try:
            comment(request_id=asked.pk, by=request.user, **form.given())
        except Invalid as error:
            form.show_errors(error)
        else:
            messages.success(request, f"Your comment on {asked.ref} is stored.")
            return redirect("request_detail", asked.ref)
    context = request_page.context(request.user, asked, comment_form=form)
    return render(request, "requests/detail.html", context, status=Invalid.status)


urlpatterns = [
    path("requests", request_list, name="request_list"),
    path("requests/new", request_new, name="request_new"),
    path("requests/<str:ref>", request_detail, name="request_detail"),
    path("requests/<str:ref>/withdraw", request_withdraw, name="request_withdraw"),
    path("requests/<str:ref>/cancel", request_cancel, name="request_cancel"),
    path("requests/<str:ref>/resubmit", request_resubmit, name="request_resubmit"),
    path("requests/<str:ref>/comments", request_comment, name="request_comment"),
]
