"""Requests and decisions in the audit trail, for verifying: the columns that each event sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from portal.approvals.kinds import Kind
from portal.approvals.models import Request, Stage
from portal.audit.compare import AnyOf, Columns, Ledger, LedgerEvent, Makes, OutOfPlace
from portal.audit.verbs import Verb
from portal.core import clock, durations, refs

R = Request.Status
FIRST_KIND = "access"  # for events without a kind: earlier releases had only this one
_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Compare the fields that only requests of this kind have, too."""
    _kinds[kind.name] = kind
    for name in kind.terms:
        SHOWN[name] = partial(_own_term, name)
    MAKES.update(kind.makes)
    NEXT[R.APPROVED] |= frozenset(kind.makes)


def _own_term(name: str, row: Request) -> Any:
    """The value of a term that only some kinds have; empty for other kinds."""
    kind = _kinds.get(row.kind)
    if kind is None or name not in kind.terms:
        return ""
    return kind.terms[name](getattr(row, kind.model._meta.model_name or ""))


def _rows() -> Any:
    own = [f"{kind.model._meta.model_name}__{name}" for kind in _kinds.values() for name in kind.related_terms]
    rows = Request.objects.select_related("requester", "beneficiary", "withdrawn_by", "deployment", *own)
    return rows.prefetch_related(
        "decisions__by", "decisions__stage", "stages__approvers", "waiting", "resubmissions", "comments__by"
    )


def _submitted(recorded: LedgerEvent) -> Columns:
    kind = _kinds[recorded.detail.get("kind", FIRST_KIND)]
    names = ("beneficiary", "reason", "duration", "ticket", "policy", "policy_version")
    return {
        **{name: recorded.detail[name] for name in names},
        **kind.recorded_columns(recorded),
        "kind": kind.name,
        "lapses_at": recorded.value("lapses_at"),
        "requester": recorded.event.actor,
        "deployment": recorded.event.deployment,
        "decisions": (),
        "earlier_decisions": (),
        "decisions_without_duration": (),
        "comments": (),
        "round": 1,
        "earlier_rounds": (),
        **_at_step(1),
        "closed_because": "",
        "withdrawn_by": "",
        "queue": "",
    }


def _decided(recorded: LedgerEvent, outcome: str) -> Columns:
    """A decision. The form without its duration is for `earlier_decisions`, when another round begins."""
    by, detail = recorded.event.actor, recorded.detail
    length = f" for {detail['duration']}" if outcome == "approve" else ""
    if detail["stage"] != recorded.before["step"]:
        raise OutOfPlace(f"it names step {detail['stage']}, but step {recorded.before['step']} was open.")
    words = [f"{by} {outcome} step {detail['stage']}{time}: {detail['comment']}" for time in (length, "")]
    return {
        "decisions": (*recorded.before.get("decisions", ()), words[0]),
        "decisions_without_duration": (*recorded.before.get("decisions_without_duration", ()), words[1]),
    }


def _returned(recorded: LedgerEvent) -> Columns:
    lapses_at = recorded.detail["lapses_at"]
    return {"status": R.RETURNED.value, **_decided(recorded, "return"), "open_step": "", "lapses_at": lapses_at}


def _resubmitted(recorded: LedgerEvent) -> Columns:
    """The next round has new terms. The decisions and terms of the earlier rounds are kept."""
    detail, before = recorded.detail, recorded.before
    kind = _kinds[before["kind"]]
    own = {name: before[name] for name in kind.changeable}
    if detail["round"] != before["round"] + 1:
        raise OutOfPlace(f"it begins round {detail['round']} after round {before['round']}.")
    return {
        **{name: detail[name] for name in ("duration", "reason", "ticket", "lapses_at", "round")},
        **_at_step(1),
        "decisions": (),
        "decisions_without_duration": (),
        "earlier_decisions": (*before["earlier_decisions"], *before["decisions_without_duration"]),
        "earlier_rounds": (
            *before["earlier_rounds"],
            _terms(before["duration"], before["reason"], before["ticket"], own),
        ),
        **{name: detail[name] for name in kind.changeable},
    }


def _terms(duration: str, reason: str, ticket: str, own: Columns) -> str:
    words = f"{duration} {ticket}: {reason}"
    return f"{words} {json.dumps(own, sort_keys=True)}" if own else words


def _commented(recorded: LedgerEvent) -> Columns:
    words = f"{recorded.event.actor} to {recorded.detail['for']}: {recorded.detail['comment']}"
    return {"comments": (*recorded.before.get("comments", ()), words)}


def _approved(recorded: LedgerEvent) -> Columns:
    """The event of the last approval names the result, for example the grant. In earlier releases no event did, so any
    approval may be the last."""
    decisions = _decided(recorded, "approve")
    result = _kinds[recorded.before["kind"]].result
    if result not in recorded.detail:
        status, step = AnyOf((R.PENDING.value, R.APPROVED.value)), AnyOf((recorded.before["step"], ""))
        return {"status": status, **decisions, "open_step": step}
    if recorded.detail[result]:
        return {"status": R.APPROVED.value, **decisions, "open_step": ""}
    return {"status": R.PENDING.value, **decisions}


def _at_step(number: int) -> Columns:
    """`step` stays when the step closes: events of an earlier release do not say whether an approval closed it."""
    return {"status": R.PENDING.value, "step": number, "open_step": number}


def _denied(recorded: LedgerEvent) -> Columns:
    return {"status": R.DENIED.value, **_decided(recorded, "deny"), "open_step": ""}


def _closed(status: Request.Status) -> Makes:
    return lambda recorded: {"status": status.value, "open_step": ""}


def _open_step(row: Request) -> int | str:
    return next((stage.number for stage in row.stages.all() if stage.status == Stage.Status.OPEN), "")


def _other_queue(row: Request) -> str:
    """The queue entries, if they differ from the approvers of the open stage; empty if they are the same."""
    stages = [stage for stage in row.stages.all() if stage.status == Stage.Status.OPEN]
    right = sorted((stage.number, approver.folded) for stage in stages for approver in stage.approvers.all())
    numbers = {stage.pk: stage.number for stage in row.stages.all()}
    found = sorted((numbers[waiting.stage_id], waiting.principal) for waiting in row.waiting.all())
    return "" if found == right else f"{found} instead of {right}"


def _decisions(row: Request) -> tuple[str, ...]:
    """The decisions of this round. An approval has the duration that was approved so far, as in its event."""
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
        _terms(durations.iso_or_empty(one.duration_before), one.reason_before, one.ticket_before, one.own_before)
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
MAKES: dict[Verb, Makes] = {
    Verb.REQUEST_SUBMITTED: _submitted,
    Verb.REQUEST_GRANTED_AT_ONCE: _closed(R.APPROVED),
    Verb.REQUEST_APPROVED: _approved,
    Verb.REQUEST_STAGE_DONE: lambda recorded: _at_step(recorded.detail["next_stage"]),
    Verb.REQUEST_DENIED: _denied,
    Verb.REQUEST_RETURNED: _returned,
    Verb.REQUEST_RESUBMITTED: _resubmitted,
    Verb.REQUEST_COMMENTED: _commented,
    Verb.REQUEST_WITHDRAWN: lambda recorded: {
        **_closed(R.WITHDRAWN)(recorded),
        "withdrawn_by": recorded.event.actor,
    },
    Verb.REQUEST_LAPSED: lambda recorded: {
        **_closed(R.LAPSED)(recorded),
        "closed_because": recorded.changed("why"),
    },
}
NEXT: dict[str, frozenset[Verb]] = {
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
}
REQUESTS = Ledger(
    model=Request,
    rows=_rows,
    prefix=refs.REQUEST,
    shown=SHOWN,
    makes=MAKES,
    begins=frozenset({Verb.REQUEST_SUBMITTED}),
    next=NEXT,
    not_compared={
        "id": "identifies the row",
        "created_at": "nearly the time of the event",
        "closed_at": "nearly the time of the event",
        "submission": "of the form that was sent",
        "only_one": "the same for all requests of a kind",
        "risk": "of the requested thing at the time of the request",
        "search_text": "made from the other columns",
    },
)
