"""The request kind of permits, for portal.approvals, and permits in the audit trail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from accounts.models import User
from portal.approvals import checks
from portal.approvals.kinds import Kind
from portal.approvals.steps import Step
from portal.audit.compare import Columns, Ledger, LedgerEvent
from portal.audit.record import Trail
from portal.audit.refusals import Entry
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.core import clock, durations, refs
from portal.core.errors import Refused
from portal.dags.models import Permit, PermitRequest
from portal.dags.parameters.frozen import canonical
from portal.dags.permissions import check_can_ask, check_offered, current
from portal.dags.permits.permit_bounds import checked_bounds, said

S = Permit.Status
MOST_RUNS, LONGEST = 1000, timedelta(days=90)


def permit_problems(request: PermitRequest, policy: PolicySpec, *, reason: str, ticket: str) -> dict[str, str]:
    """The errors of a request by field, except of the bounds."""
    found = checks.text_problems(reason, ticket, policy)
    if not 1 <= request.runs_wanted <= MOST_RUNS:
        found["runs"] = f"Enter a number of runs from 1 to {MOST_RUNS}."
    return found | checks.duration_problem(request.duration or timedelta(), longest=LONGEST)


class PermitKind(Kind):
    name = "permit"
    model = PermitRequest
    related = ("requester", "beneficiary", "withdrawn_by", "deployment", "dag__deployment", "dag__state")
    shown_with = ("permit__ended_by",)
    terms = {
        "dag": lambda row: str(row.dag),
        "bounds": lambda row: row.bounds_text,
        "runs": lambda row: row.runs_wanted,
    }
    related_terms = ("dag__deployment",)
    changeable = ("bounds", "runs")
    result = "permit"

    def label(self, request: PermitRequest) -> str:
        return f"a permit for {_runs(request.runs_wanted)} of {request.dag.dag_id} on {request.deployment.name}"

    def sentence(self, request: PermitRequest) -> str:
        verb = "asks" if request.closed_at is None else "asked"
        length = durations.words(request.duration) if request.duration else ""
        return f"{request.requester.username} {verb} for {self.label(request)}, for {length}"

    def event_detail(self, request: PermitRequest) -> Mapping[str, Any]:
        return {"dag": str(request.dag)}

    def recorded_columns(self, recorded: LedgerEvent) -> Columns:
        return {"about": recorded.detail["dag"], **{name: recorded.detail[name] for name in self.terms}}

    def policy(self, request: PermitRequest) -> PolicySpec:
        return catalogue.policy(current(request.dag).policy)

    def search_texts(self, request: PermitRequest) -> list[str]:
        return [str(request.dag), request.bounds_text]

    def change(self, request: PermitRequest, changed: Mapping[str, Any], *, by: User) -> Mapping[str, Any]:
        """changed: `bounds`, `runs`."""
        columns: dict[str, Any] = {}
        if "runs" in changed:
            columns["runs_wanted"] = request.runs_wanted = changed["runs"]
        if "bounds" in changed:
            request.bounds_text = canonical(checked_bounds(changed["bounds"], current(request.dag)))
            columns["bounds_text"] = request.bounds_text
        return columns

    def entry_problems(self, request: PermitRequest, policy: PolicySpec) -> dict[str, str]:
        return permit_problems(request, policy, reason=request.reason, ticket=request.ticket)

    def changed_words(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
        words = []
        if before["runs"] != after["runs"]:
            words.append(f"{_runs(after['runs'])} instead of {before['runs']}.")
        if before["bounds"] != after["bounds"]:
            now, was = (bounds_words(json.loads(each["bounds"])) for each in (after, before))
            words.append(f"Bounds: {now} instead of {was}.")
        return words

    def check_again(self, request: PermitRequest, *, by: User) -> None:
        dag = current(request.dag)
        check_offered(dag, "trigger")
        if not request.requester.is_active:
            raise Refused(f"{request.requester.username} can no longer sign in.", reason="inactive")
        check_can_ask(request.requester, dag)
        if not dag.policy:
            raise Refused(f"Permits for {dag.dag_id} are no longer offered.", reason="not_offered")

    def approved(self, request: PermitRequest, *, duration: timedelta | None, event: Entry, trail: Trail) -> None:
        assert duration is not None
        now = clock.now()
        permit = Permit.objects.create(
            request=request,
            dag=current(request.dag),
            holder=request.beneficiary,
            bounds_text=request.bounds_text,
            runs_allowed=request.runs_wanted,
            created_at=now,
            ends_at=now + duration,
        )
        event["about"].append(permit.ref)
        event["detail"]["permit"] = permit.ref
        trail.add(
            Verb.PERMIT_ISSUED,
            by=None,
            target=permit.ref,
            about=[permit.ref, request.ref, refs.deployment(permit.dag.deployment.name)],
            detail={
                "dag": permit.dag.dag_id,
                "holder": permit.holder.username,
                "bounds": permit.bounds_text,
                "runs": permit.runs_allowed,
                "ends_at": permit.ends_at.isoformat(),
                "request": request.ref,
            },
        )

    def outdated(self, request: PermitRequest) -> str:
        dag = current(request.dag)
        try:
            check_offered(dag, "trigger")
            check_can_ask(request.requester, dag)
        except Refused as refusal:
            if refusal.reason == "not_offered":
                return refusal.detail
            return f"{request.requester.username} may no longer ask for a permit for {dag.dag_id}."
        return "" if dag.policy else f"Permits for {dag.dag_id} are no longer offered."

    def at_once_words(self, request: PermitRequest) -> tuple[str, str]:
        return "Issued at once by its policy", super().at_once_words(request)[1]

    def steps(self, request: PermitRequest) -> list[Step]:
        permit = getattr(request, "permit", None)
        if permit is None:
            length = durations.words(request.duration) if request.duration else ""
            return (
                [Step("The permit ends", "future", expected=f"{length} after approval")]
                if not request.closed_at
                else []
            )
        used = f"{permit.used} of {permit.runs_allowed} runs used"
        if permit.status == S.ACTIVE:
            return [Step(f"The permit is active: {used}", "now"), Step("The permit ends", "future", at=permit.ends_at)]
        state = "bad" if permit.status == S.REVOKED else "done"
        title = f"The permit is {permit.get_status_display()}: {used}"
        return [Step(title, state, at=permit.ended_at, by=permit.ended_by, note=permit.end_comment)]


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"


def bounds_words(bounds: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(f"{name} {said(keywords)}" for name, keywords in bounds.items()) or "none"


PERMITS = PermitKind()


def _issued(recorded: LedgerEvent) -> Columns:
    names = ("dag", "holder", "bounds", "runs", "ends_at", "request")
    return {
        **{name: recorded.detail[name] for name in names},
        "deployment": recorded.event.deployment,
        "status": S.ACTIVE.value,
        "used": 0,
        "end_comment": "",
        "ended_by": "",
    }


def _revoked(recorded: LedgerEvent) -> Columns:
    end = {"end_comment": recorded.detail["reason"], "ended_by": recorded.event.actor}
    return {"status": S.REVOKED.value, **end}


PERMIT_LEDGER = Ledger(
    model=Permit,
    rows=lambda: Permit.objects.select_related("dag__deployment", "holder", "ended_by"),
    prefix=refs.PERMIT,
    shown={
        "dag": lambda row: row.dag.dag_id,
        "deployment": lambda row: row.dag.deployment.name,
        "holder": lambda row: row.holder.username,
        "bounds": lambda row: row.bounds_text,
        "runs": lambda row: row.runs_allowed,
        "used": lambda row: row.used,
        "status": lambda row: row.status,
        "ends_at": lambda row: row.ends_at.isoformat(),
        "request": lambda row: refs.ref(refs.REQUEST, row.request_id),
        "end_comment": lambda row: row.end_comment,
        "ended_by": lambda row: row.ended_by.username if row.ended_by_id is not None else "",
    },
    makes={
        Verb.PERMIT_ISSUED: _issued,
        Verb.PERMIT_USED: lambda recorded: {"used": recorded.detail["used"]},
        Verb.PERMIT_USED_UP: lambda recorded: {"status": S.USED_UP.value},
        Verb.PERMIT_EXPIRED: lambda recorded: {"status": S.EXPIRED.value},
        Verb.PERMIT_REVOKED: _revoked,
    },
    begins=frozenset({Verb.PERMIT_ISSUED}),
    next={
        "": frozenset({Verb.PERMIT_ISSUED}),
        S.ACTIVE: frozenset({Verb.PERMIT_USED, Verb.PERMIT_USED_UP, Verb.PERMIT_EXPIRED, Verb.PERMIT_REVOKED}),
        **dict.fromkeys((S.USED_UP, S.EXPIRED), frozenset({Verb.PERMIT_REVOKED})),
        S.REVOKED: frozenset(),
    },
    not_compared={
        "id": "identifies the row",
        "created_at": "nearly the time of the event",
        "ended_at": "nearly the time of the event",
        "bounds_text": "compared as `bounds`",
        "runs_allowed": "compared as `runs`",
    },
)
