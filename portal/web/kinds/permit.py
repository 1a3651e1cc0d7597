"""Requests for a permit on the pages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.db.models import Q
from django.http import QueryDict

from accounts.models import User
from portal.approvals.models import approved_duration
from portal.catalogue.document import PolicySpec
from portal.core import durations
from portal.core.errors import Invalid, why_not
from portal.dags.limits import same_dag
from portal.dags.models import Permit, PermitRequest
from portal.dags.parameters import conf, params
from portal.dags.permissions import in_force
from portal.dags.permits import permits
from portal.dags.permits.permit_bounds import said
from portal.dags.permits.permit_kind import LONGEST, MOST_RUNS, PERMITS
from portal.ui import words
from portal.web.kinds.base import Display
from portal.web.requests.answer_forms import CancelForm, TermsForm

S = Permit.Status


@dataclass(frozen=True)
class Bound:
    """The bound of a parameter in words. title: that the DAG gives it, or its name."""

    name: str
    title: str
    words: str


@dataclass(frozen=True)
class PermitFacts:
    """What an approver must know. longest: the duration to approve."""

    longest: timedelta
    bounds: list[Bound]
    earlier: list[Permit]


class PermitAgainForm(TermsForm):
    """The terms of a returned request for a permit."""

    runs = forms.IntegerField(label="How many runs?", min_value=1, max_value=MOST_RUNS)
    bounds = forms.CharField(
        label="Bounds",
        required=False,
        help_text="A JSON object: by parameter enum, minimum, maximum or days_back.",
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false"}),
    )
    field_order = ["runs", "bounds", "duration", "reason", "ticket"]

    def __init__(self, data: QueryDict | None = None, *, asked: PermitRequest, policy: PolicySpec) -> None:
        super().__init__(data, asked=asked, policy=policy, longest=LONGEST)
        self.initial = {
            **self.initial,
            "runs": asked.runs_wanted,
            "bounds": json.dumps(asked.bounds, indent=2, ensure_ascii=False),
        }

    def clean_bounds(self) -> dict[str, Any]:
        try:
            return conf.parse(self.cleaned_data["bounds"])
        except Invalid as error:
            raise forms.ValidationError(error.detail) from None

    def given(self) -> dict[str, Any]:
        return {**super().given(), "own": {name: self.cleaned_data[name] for name in ("runs", "bounds")}}


class PermitDisplay(Display):
    name = "permit"
    on_its_way = Q(pk__in=[])
    held = Q(permit__status=S.ACTIVE)
    closed = Q(permit__status__in=[S.USED_UP, S.EXPIRED, S.REVOKED])

    def title(self, request: PermitRequest) -> str:
        what = PERMITS.label(request)
        return f"{what[:1].upper()}{what[1:]}"

    def amount(self, request: PermitRequest) -> str:
        return durations.words(request.duration) if request.duration else ""

    def state(self, request: PermitRequest) -> tuple[Any, str]:
        return permit_of(request) or request, "status"

    def standing(self, request: PermitRequest, reader: User) -> str:
        permit = permit_of(request)
        if permit is None:
            return "It is approved."
        used = permits.used_words(permit)
        if permit.status == S.ACTIVE:
            why = permits.why_unusable(permit)
            unusable = f" It cannot be used now: {why}" if why else ""
            return f"The permit is valid until {words.spoken(permit.ends_at)}. {used}{unusable}"
        if permit.status == S.USED_UP:
            return f"The permit is used up. {used} Ask for another one to run it again."
        return f"The permit is {permit.get_status_display()}. {used} No run can be started with it any more."

    def sent(self, request: PermitRequest) -> str:
        return f"{request.ref} was sent. Its policy needs no decision. This page shows the permit."

    def starts_at(self, request: PermitRequest) -> datetime | None:
        return None

    def page(self, request: PermitRequest, reader: User) -> dict[str, Any]:
        permit = permit_of(request)
        revoke = bool(
            permit and permits.can_be_revoked(permit) and not why_not(permits.check_can_revoke, reader, permit)
        )
        return {
            "grant": None,
            "permit": permit,
            "dag": in_force(request.dag),
            "bounds": bounds_of(request),
            "runs": list(permit.runs.all()) if permit else [],
            "operations": [],
            "may": {"revoke": revoke},
            "cancel_form": CancelForm(),
            "time_left": None,
        }

    def reload_seconds(self, request: PermitRequest) -> int:
        permit = permit_of(request)
        return 30 if permit and permit.status == S.ACTIVE else 0

    def shows(self, request: PermitRequest) -> list[str]:
        permit = permit_of(request)
        return [permit.status, str(permit.used)] if permit else []

    def again_form(self, request: PermitRequest, policy: PolicySpec, data: QueryDict | None = None) -> PermitAgainForm:
        return PermitAgainForm(data, asked=request, policy=policy)

    def facts(self, request: PermitRequest, reader: User) -> PermitFacts:
        rows = Permit.objects.filter(holder=request.beneficiary, dag__in=same_dag(request.dag))
        longest = approved_duration(request) or timedelta()
        return PermitFacts(longest, bounds_of(request), list(rows.select_related("request")[:5]))

    def conflict(self, request: PermitRequest) -> str:
        return why_not(PERMITS.check_again, request, by=request.requester)

    def outcome(self, request: PermitRequest, asked: timedelta | None) -> str:
        given = approved_duration(request)
        less = f", instead of the requested {durations.words(asked)}" if asked and given and given < asked else ""
        permit = Permit.objects.get(request=request)
        return (
            f"You approved {request.ref} for {durations.words(given or timedelta())}{less}. {permit.ref} is valid now."
        )


def permit_of(request: PermitRequest) -> Permit | None:
    return getattr(request, "permit", None)


def bounds_of(request: PermitRequest) -> list[Bound]:
    """In the order in which the DAG declares the parameters, then the others."""
    known, bounds = params.known(request.dag, getattr(request.dag, "state", None)).params, request.bounds
    names = [*(name for name in known if name in bounds), *(name for name in bounds if name not in known)]
    return [Bound(name, params.title(name, known.get(name)), said(bounds[name])) for name in names]
