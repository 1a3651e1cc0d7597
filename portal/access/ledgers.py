"""What the trail says of requests, decisions and grants: which event makes which column, for verifying."""

from __future__ import annotations

from typing import Any

from portal import durations, refs
from portal.access import grants
from portal.access.models import AccessRequest, Grant
from portal.audit.compare import AnyOf, Columns, Ledger, Makes, Told, nothing
from portal.audit.record import SYSTEM
from portal.audit.verbs import Verb

GIVEN = ("role", "dag_id", "level")
R, G = AccessRequest.Status, Grant.Status


def _moment(value: Any) -> str:
    return value.isoformat() if value else ""


# --- requests and the decisions on them ------------------------------------------------------------------------------
def _submitted(told: Told) -> Columns:
    names = ("beneficiary", "entitlement", "reason", "duration", "ticket", "policy", "policy_version", "break_glass")
    said = {name: told.said(name) for name in (*names, "starts_at", "lapses_at")}
    return {**said, "requester": told.event.actor, "status": R.PENDING.value, "decisions": (), "closed_because": ""}


def _decided(told: Told, outcome: str) -> tuple[str, ...]:
    by, said = told.event.actor, told.detail
    length = f" for {said['duration']}" if outcome == "approve" else ""
    words = f"{by} {outcome} step {said.get('stage')}{length}: {said.get('comment', '')}"
    return (*told.so_far.get("decisions", ()), words)


def _approved(told: Told) -> Columns:
    """Which approval was the last one, an event says since it names the grant that came of it."""
    status: Any = AnyOf((R.PENDING.value, R.APPROVED.value))
    if "grant" in told.detail:
        status = R.APPROVED.value if told.detail["grant"] else R.PENDING.value
    return {"status": status, "decisions": _decided(told, "approve")}


def _denied(told: Told) -> Columns:
    return {"status": R.DENIED.value, "decisions": _decided(told, "deny")}


def _closed(status: AccessRequest.Status) -> Makes:
    return lambda told: {"status": status.value}


def _decisions(row: AccessRequest) -> tuple[str, ...]:
    """Each with the time that was left of what was asked for, as its event has it."""
    found, longest = [], row.duration
    for made in row.decisions.all():
        longest = min(longest, made.duration or longest)
        length = f" for {durations.iso(longest)}" if made.outcome == "approve" else ""
        found.append(f"{made.by.username} {made.outcome} step {made.stage.number}{length}: {made.comment}")
    return tuple(found)


REQUESTS = Ledger(
    model=AccessRequest,
    rows=lambda: AccessRequest.objects.select_related("requester", "beneficiary", "entitlement").prefetch_related(
        "decisions__by", "decisions__stage"
    ),
    named_by={"request": lambda row: row.ref},
    prefix=refs.REQUEST,
    shown={
        "requester": lambda row: row.requester.username,
        "beneficiary": lambda row: row.beneficiary.username,
        "entitlement": lambda row: row.entitlement.key,
        "status": lambda row: row.status,
        "duration": lambda row: durations.iso(row.duration),
        "reason": lambda row: row.reason,
        "ticket": lambda row: row.ticket,
        "starts_at": lambda row: _moment(row.starts_at),
        "lapses_at": lambda row: _moment(row.lapses_at),
        "policy": lambda row: row.policy,
        "policy_version": lambda row: row.policy_version,
        "break_glass": lambda row: row.break_glass,
        "decisions": _decisions,
        "closed_because": lambda row: row.closed_because,
    },
    makes={
        Verb.REQUEST_SUBMITTED: _submitted,
        Verb.REQUEST_GRANTED_AT_ONCE: _closed(R.APPROVED),
        Verb.REQUEST_APPROVED: _approved,
        Verb.REQUEST_STAGE_DONE: nothing,
        Verb.REQUEST_DENIED: _denied,
        Verb.REQUEST_WITHDRAWN: _closed(R.WITHDRAWN),
        Verb.REQUEST_LAPSED: lambda told: {"status": R.LAPSED.value, "closed_because": told.said("why")},
    },
    begins=frozenset({Verb.REQUEST_SUBMITTED}),
    not_compared={
        "id": "names the row",
        "created_at": "the time of its event, but for a moment",
        "closed_at": "the time of its event, but for a moment",
        "key": "of the form it was sent with",
        "search_text": "made from the other columns",
    },
)


# --- grants ----------------------------------------------------------------------------------------------------------
def _made(told: Told) -> Columns:
    """The approval from which the grant came; one that only closes a step names none."""
    if "grant" in told.detail and not told.detail["grant"]:
        return {}
    said = {name: told.said(name) for name in ("entitlement", "beneficiary", "duration", "starts_at", *GIVEN)}
    empty = dict.fromkeys(
        ("end_reason", "end_comment", "ended_by", "failure", "ends_at", "verified_at", "kept_for"), ""
    )
    return {**said, **empty, "status": G.APPLYING.value, "deployment": told.event.deployment}


def _scheduled(told: Told) -> Columns:
    return {"status": G.SCHEDULED.value, "starts_at": told.said("starts_at"), "beneficiary": told.said("beneficiary")}


def _started(told: Told) -> Columns:
    """What it gives is read from the entitlement again when it starts."""
    return {"status": G.APPLYING.value, **{name: told.said(name) for name in GIVEN}}


def _active(told: Told) -> Columns:
    times = {name: told.said(name) for name in ("ends_at", "verified_at")}
    return {**times, "status": G.ACTIVE.value, "failure": ""}


def _tried_again(told: Told) -> Columns:
    """One that is live is given again while it stays so."""
    live = told.so_far.get("status") == G.ACTIVE.value
    return {"status": (G.ACTIVE if live else G.APPLYING).value, "failure": ""}


def _ending(reason: str) -> Makes:
    """A grant that had not begun has ended with that; of any other Airflow is told first."""

    def makes(told: Told) -> Columns:
        over = told.so_far.get("status") == G.SCHEDULED.value
        return {
            "status": G.ENDED.value if over else G.ENDING.value,
            "end_reason": reason,
            "end_comment": told.detail.get("reason", ""),
            "ended_by": "" if told.event.actor == SYSTEM else told.event.actor,
        }

    return makes


GRANTS = Ledger(
    model=Grant,
    rows=lambda: Grant.objects.select_related("request", "entitlement", "beneficiary", "deployment", "ended_by"),
    named_by={"grant": lambda row: row.ref, "request": lambda row: row.request.ref},
    prefix=refs.GRANT,
    shown={
        "beneficiary": lambda row: row.beneficiary.username,
        "entitlement": lambda row: row.entitlement.key,
        "deployment": lambda row: row.deployment.name,
        "role": lambda row: row.role,
        "dag_id": lambda row: row.dag_id,
        "level": lambda row: row.level,
        "status": lambda row: row.status,
        "duration": lambda row: durations.iso(row.duration),
        "starts_at": lambda row: _moment(row.starts_at),
        "verified_at": lambda row: _moment(row.verified_at),
        "ends_at": lambda row: _moment(row.ends_at),
        "end_reason": lambda row: row.end_reason,
        "end_comment": lambda row: row.end_comment,
        "kept_for": lambda row: row.kept_for,
        "ended_by": lambda row: row.ended_by.username if row.ended_by else "",
        "failure": lambda row: row.failure,
    },
    makes={
        Verb.REQUEST_APPROVED: _made,
        Verb.REQUEST_GRANTED_AT_ONCE: _made,
        Verb.GRANT_SCHEDULED: _scheduled,
        Verb.GRANT_STARTED: _started,
        Verb.GRANT_ACTIVATED: _active,
        Verb.GRANT_FAILED: lambda told: {"status": G.FAILED.value, "failure": told.said("why")},
        Verb.GRANT_RETRIED: _tried_again,
        Verb.GRANT_GIVEN_UP: lambda told: {"status": G.ENDING.value, "failure": told.said("why")},
        Verb.GRANT_LEFT_TO_ADMINS: lambda told: {"failure": told.said("why")},
        Verb.GRANT_GIVEN_AGAIN: lambda told: {"failure": ""},
        Verb.GRANT_FOUND_AGAIN: lambda told: {"failure": ""},
        Verb.GRANT_MISSING: nothing,
        Verb.GRANT_UNUSABLE: nothing,
        Verb.GRANT_USABLE: nothing,
        Verb.GRANT_CAME_BACK: nothing,
        Verb.GRANT_TAKEN_AGAIN: nothing,
        Verb.GRANT_CAME_BACK_LATE: nothing,
        Verb.GRANT_GONE_AGAIN: nothing,
        **{verb: _ending(reason) for reason, verb in grants.ENDS.items()},
        Verb.GRANT_ENDED: lambda told: {"status": G.ENDED.value, "kept_for": told.detail.get("kept_for", "")},
        Verb.GRANT_END_FAILED: nothing,
    },
    begins=frozenset({Verb.REQUEST_APPROVED, Verb.REQUEST_GRANTED_AT_ONCE}),
    not_compared={
        "id": "names the row",
        "request": "found by it",
        "created_at": "the time of its event, but for a moment",
        "ended_at": "the time of its event, but for a moment",
        "airflow_user": "found in Airflow",
        "airflow_user_id": "found in Airflow",
        "end_read_at": "when its holder read that it ended",
        "sent_at": "of the worker",
        "apply_by": "of the worker",
        "ineligible_since": "of the worker",
        "look_at": "of the worker",
        "looks": "of the worker",
        "missing_since": "of the worker",
        "given_again": "of the worker",
        "left_at": "of the worker",
        "back_since": "of the worker",
        "unusable_since": "of the worker",
    },
)
