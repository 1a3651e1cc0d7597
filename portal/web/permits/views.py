"""The pages of permits: asking for one, and revoking it. The page of a permit is the page of its request."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods

from accounts.guard import requires
from accounts.permissions import Permission
from portal.approvals import queries as requests
from portal.catalogue import queries as catalogue
from portal.core import refs
from portal.core.errors import Conflict, Invalid, Missing, Refused
from portal.dags import queries
from portal.dags.permits import permits
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web.acting import acts_from
from portal.web.permits.forms import PermitForm
from portal.web.requests import request_page, told
from portal.web.requests.answer_forms import CancelForm


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.REQUEST)
def permit_new(request: Request, deployment: str, dag_id: str) -> HttpResponse:
    option = queries.dag_for(request.user, deployment, dag_id)
    if not option.dag.policy:
        raise Missing(f"Permits for {option.dag.dag_id} are not offered.")
    data = request.POST if request.method == "POST" else None
    form, status = PermitForm(data, option=option, policy=catalogue.policy(option.dag.policy)), 200
    if form.is_bound:
        status = Invalid.status
        if form.is_valid():
            try:
                made = permits.ask(by=request.user, dag=option.dag, **form.given())
            except (Invalid, Refused, Conflict) as error:
                form.show_errors(error)
                status = error.status
            else:
                told.of_sending(request, made)
                return redirect("request_detail", made.ref)
    return render(request, "permits/new.html", {"dag": option.dag, "form": form}, status=status)


def _page_of(request: Request, ref: str) -> str:
    permit = permits.permit_for(request.user, refs.parse(refs.PERMIT, ref))
    return reverse("request_detail", args=[permit.request.ref])


@requires(Permission.HOME)
@acts_from(_page_of)
def permit_revoke(request: Request, ref: str) -> HttpResponse:
    """Revoke a permit, or show the errors (422)."""
    permit = permits.permit_for(request.user, refs.parse(refs.PERMIT, ref))
    form = CancelForm(request.POST)
    try:
        permits.revoke(permit_id=permit.pk, by=request.user, reason=form.data.get("reason", ""))
    except Invalid as error:
        form.show_errors(error)
        asked = requests.request_for(request.user, permit.request_id)
        summary = [(form[name].id_for_label, said) for name, said in error.fields.items()]
        context = {**request_page.context(request.user, asked), "cancel_form": form, "summary": summary}
        return render(request, "requests/detail.html", context, status=error.status)
    stopped = ", ".join(run.ref for run in permits.waiting(permit))
    also = f" Not started yet, and not started any more: {stopped}." if stopped else ""
    messages.success(request, f"{permit.ref} is revoked. No run can be started with it any more.{also}")
    return redirect("request_detail", permit.request.ref)


urlpatterns = [
    path("dags/<str:deployment>/<str:dag_id>/permit", permit_new, name="permit_new"),
    path("permits/<str:ref>/revoke", permit_revoke, name="permit_revoke"),
]
