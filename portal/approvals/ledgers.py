"""What the trail says of requests and the decisions on them: which event makes which column, for verifying."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portal.approvals.kinds import Kind
from portal.approvals.models import Request, Stage
from portal.audit.compare import AnyOf, Columns, Ledger, LedgerEvent, Makes, OutOfPlace
from portal.audit.verbs import Verb
from portal.core import clock, durations, refs

R = Request.Status
FIRST_KIND = "access"  # of requests whose events name no kind: earlier releases had this one alone
_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Compare what only requests of this kind have, too."""
    _kinds[kind.name] = kind
    for name, show in kind.terms.items():
        SHOWN[name] = _of_kind(kind, show)


def _of_kind(kind: Kind, show: Callable[[Any], Any]) -> Callable[[Request], Any]:
    return lambda row: show(getattr(row, kind.model._meta.model_name or "")) if row.kind == kind.name else ""


def _rows() -> Any:
    own = [f"{kind.model._meta.model_name}__{name}" for kind in _kinds.values() for name in kind.related_terms]
    rows = Request.objects.select_related("requester", "beneficiary", "withdrawn_by", "deployment", *own)
    return rows.prefetch_related(
        "decisions__by", "decisions__stage", "stages__approvers", "waiting", "resubmissions", "comments__by"
    )


def _submitted(told: LedgerEvent) -> Columns:
    kind = _kinds[told.detail.get("kind", FIRST_KIND)]
    names = ("beneficiary", "reason", "duration", "ticket", "policy", "policy_version")
    return {
        **{name: told.detail[name] for name in names},
        **kind.said(told),
        "kind": kind.name,
        "lapses_at": told.said("lapses_at"),
        "requester": told.event.actor,
        "deployment": told.event.deployment,
        "decisions": (),
        "earlier_decisions": (),
        "so_short": (),
        "comments": (),
        "round": 1,
        "earlier_rounds": (),
        **_at_step(1),
        "closed_because": "",
        "withdrawn_by": "",
        "queue": "",
    }


def _decided(told: LedgerEvent, outcome: str) -> Columns:
    """`so_short` is without the times, for the rounds that follow."""
    by, said = told.event.actor, told.detail
    length = f" for {said['duration']}" if outcome == "approve" else ""
    if said["stage"] != told.so_far["step"]:
        raise OutOfPlace(f"it names step {said['stage']}, but step {told.so_far['step']} was open.")
    words = [f"{by} {outcome} step {said['stage']}{time}: {said['comment']}" for time in (length, "")]
    return {
        "decisions": (*told.so_far.get("decisions", ()), words[0]),
        "so_short": (*told.so_far.get("so_short", ()), words[1]),
    }


def _returned(told: LedgerEvent) -> Columns:
    lapses_at = told.detail["lapses_at"]
    return {"status": R.RETURNED.value, **_decided(told, "return"), "open_step": "", "lapses_at": lapses_at}


def _resubmitted(told: LedgerEvent) -> Columns:
    """The next round, with terms of its own. The decisions of the rounds before stay, the terms they were about too."""
    said, before = told.detail, told.so_far
    if said["round"] != before["round"] + 1:
        raise OutOfPlace(f"it begins round {said['round']} after round {before['round']}.")
    return {
        **{name: said[name] for name in ("duration", "reason", "ticket", "lapses_at", "round")},
        **_at_step(1),
        "decisions": (),
        "so_short": (),
        "earlier_decisions": (*before["earlier_decisions"], *before["so_short"]),
        "earlier_rounds": (*before["earlier_rounds"], _terms(before["duration"], before["reason"], before["ticket"])),
    }


def _terms(duration: str, reason: str, ticket: str) -> str:
    return f"{duration} {ticket}: {reason}"


def _commented(told: LedgerEvent) -> Columns:
    words = f"{told.event.actor} to {told.detail['for']}: {told.detail['comment']}"
    return {"comments": (*told.so_far.get("comments", ()), words)}


def _approved(told: LedgerEvent) -> Columns:
    """Which approval was the last one, an event says since it names the grant that came of it."""
    decisions = _decided(told, "approve")
    if "grant" not in told.detail:
        status, step = AnyOf((R.PENDING.value, R.APPROVED.value)), AnyOf((told.so_far["step"], ""))
        return {"status": status, **decisions, "open_step": step}
    if told.detail["grant"]:
        return {"status": R.APPROVED.value, **decisions, "open_step": ""}
    return {"status": R.PENDING.value, **decisions}


def _at_step(number: int) -> Columns:
    """`step` is for what follows: an earlier release did not say whether an approval closed it."""
    return {"status": R.PENDING.value, "step": number, "open_step": number}


def _denied(told: LedgerEvent) -> Columns:
    return {"status": R.DENIED.value, **_decided(told, "deny"), "open_step": ""}


def _closed(status: Request.Status) -> Makes:
    return lambda told: {"status": status.value, "open_step": ""}


def _open_step(row: Request) -> int | str:
    return next((stage.number for stage in row.stages.all() if stage.status == Stage.Status.OPEN), "")


def _other_queue(row: Request) -> str:
    """In whose queue the request is, where it is not the approvers of the open stage; empty where it is."""
    stages = [stage for stage in row.stages.all() if stage.status == Stage.Status.OPEN]
    right = sorted((stage.number, approver.folded) for stage in stages for approver in stage.approvers.all())
    numbers = {stage.pk: stage.number for stage in row.stages.all()}
    found = sorted((numbers[waiting.stage_id], waiting.principal) for waiting in row.waiting.all())
    return "" if found == right else f"{found} instead of {right}"


def _decisions(row: Request) -> tuple[str, ...]:
    """Of this round, each with the time that was left of what was asked for, as its event has it."""
    found, longest = [], row.duration
    for made in row.decisions.all():
        if made.round != row.round:
            continue
        if made.duration is not None:
            longest = min(longest or made.duration, made.duration)
        length = f" for {durations.iso_or_empty(longest)}" if made.outcome == "approve" else ""
        found.append(f"{made.by.username} {made.outcome} step {made.stage.number}{length}: {made.comment}")
    return tuple(found)


def _earlier_decisions(row: Request) -> tuple[str, ...]:
    earlier = [made for made in row.decisions.all() if made.round != row.round]
    return tuple(f"{made.by.username} {made.outcome} step {made.stage.number}: {made.comment}" for made in earlier)


def _earlier_rounds(row: Request) -> tuple[str, ...]:
    return tuple(
        _terms(durations.iso(one.duration_before) if one.duration_before else "", one.reason_before, one.ticket_before)
        for one in row.resubmissions.all()
    )


def _comments(row: Request) -> tuple[str, ...]:
    return tuple(f"{one.by.username} to {one.audience}: {one.text}" for one in row.comments.all())


SHOWN: dict[str, Callable[[Any], Any]] = {
    "kind": lambda row: row.kind,
    "requester": lambda row: row.requester.username,
    "beneficiary": lambda row: row.beneficiary.username,
    "about": lambda row: row.about,
    "deployment": lambda row: row.deployment.name,
    "status": lambda row: row.status,
    "duration": lambda row: durations.iso_or_empty(row.duration),
    "reason": lambda row: row.reason,
    "ticket": lambda row: row.ticket,
    "lapses_at": lambda row: clock.iso_or_empty(row.lapses_at),
    "policy": lambda row: row.policy,
    "policy_version": lambda row: row.policy_version,
    "decisions": _decisions,
    "earlier_decisions": _earlier_decisions,
    "earlier_rounds": _earlier_rounds,
    "comments": _comments,
    "round": lambda row: row.round,
    "open_step": _open_step,
    "queue": _other_queue,
    "closed_because": lambda row: row.closed_because,
    "withdrawn_by": lambda row: row.withdrawn_by.username if row.withdrawn_by_id is not None else "",
}
REQUESTS = Ledger(
    model=Request,
    rows=_rows,
    prefix=refs.REQUEST,
    shown=SHOWN,
    makes={
        Verb.REQUEST_SUBMITTED: _submitted,
        Verb.REQUEST_GRANTED_AT_ONCE: _closed(R.APPROVED),
        Verb.REQUEST_APPROVED: _approved,
        Verb.REQUEST_STAGE_DONE: lambda told: _at_step(told.detail["next_stage"]),
        Verb.REQUEST_DENIED: _denied,
        Verb.REQUEST_RETURNED: _returned,
        Verb.REQUEST_RESUBMITTED: _resubmitted,
        Verb.REQUEST_COMMENTED: _commented,
        Verb.REQUEST_WITHDRAWN: lambda told: {**_closed(R.WITHDRAWN)(told), "withdrawn_by": told.event.actor},
        Verb.REQUEST_LAPSED: lambda told: {**_closed(R.LAPSED)(told), "closed_because": told.changed("why")},
    },
    begins=frozenset({Verb.REQUEST_SUBMITTED}),
    next={
        "": frozenset({Verb.REQUEST_SUBMITTED}),
        R.PENDING: frozenset(
            {
                Verb.REQUEST_GRANTED_AT_ONCE,
                Verb.REQUEST_APPROVED,
                Verb.REQUEST_STAGE_DONE,
                Verb.REQUEST_DENIED,
                Verb.REQUEST_RETURNED,
                Verb.REQUEST_COMMENTED,
                Verb.REQUEST_WITHDRAWN,
                Verb.REQUEST_LAPSED,
            }
        ),
        R.RETURNED: frozenset(
            {Verb.REQUEST_RESUBMITTED, Verb.REQUEST_COMMENTED, Verb.REQUEST_WITHDRAWN, Verb.REQUEST_LAPSED}
        ),
        **dict.fromkeys((R.APPROVED, R.DENIED, R.WITHDRAWN, R.LAPSED), frozenset({Verb.REQUEST_COMMENTED})),
    },
    not_compared={
        "id": "names the row",
        "created_at": "the time of its event, but for a moment",
        "closed_at": "the time of its event, but for a moment",
        "submission": "of the form it was sent with",
        "only_one": "the same for all requests of a kind",
        "risk": "of what is requested, when it was requested",
        "search_text": "made from the other columns",
    },
)
