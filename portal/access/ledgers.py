"""What the trail says of requests, decisions and grants: which event makes which column, for verifying."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.operator import OS_ACCOUNT
from portal.access import grants
from portal.access.models import AccessRequest, Grant, Stage
from portal.audit.compare import UNKNOWN, UNSAID, AnyOf, Columns, Ledger, Makes, OutOfPlace, Told, nothing
from portal.audit.record import SYSTEM
from portal.audit.verbs import Verb
from portal.core import durations, refs

ASKED = ("entitlement", "beneficiary", "duration", "starts_at")
GIVEN = ("role", "dag_id", "level")
SENT = "a moment"  # of `sent_at`, whose time no event says
SLACK = timedelta(minutes=1)  # a moment and the time of its event are of one clock, but for its corrections
R, G = AccessRequest.Status, Grant.Status


def _moment(value: datetime | None) -> str:
    return value.astimezone(UTC).isoformat() if value else ""


def _start(told: Told) -> Any:
    """The start that an event says, in UTC. Earlier releases wrote it in the zone of the person who asked."""
    said = told.said("starts_at")
    return said if said is UNSAID else _moment(datetime.fromisoformat(said) if said else None)


def _person(actor: str) -> str:
    """The user name of an actor; empty for Gatehouse itself and for an account of the operating system."""
    return "" if actor == SYSTEM or actor.startswith(OS_ACCOUNT) else actor


# --- requests and the decisions on them ------------------------------------------------------------------------------
def _submitted(told: Told) -> Columns:
    names = ("beneficiary", "entitlement", "reason", "duration", "ticket", "policy", "policy_version", "break_glass")
    said = {name: told.detail[name] for name in names} | {
        "starts_at": _start(told),
        "lapses_at": told.said("lapses_at"),
    }
    return {
        **said,
        "requester": told.event.actor,
        "decisions": (),
        **_at_step(1),
        "closed_because": "",
        "withdrawn_by": "",
    }


def _decided(told: Told, outcome: str) -> tuple[str, ...]:
    by, said = told.event.actor, told.detail
    length = f" for {said['duration']}" if outcome == "approve" else ""
    if said["stage"] != told.so_far["step"]:
        raise OutOfPlace(f"it names step {said['stage']}, but step {told.so_far['step']} was open.")
    words = f"{by} {outcome} step {said['stage']}{length}: {said['comment']}"
    return (*told.so_far.get("decisions", ()), words)


def _approved(told: Told) -> Columns:
    """Which approval was the last one, an event says since it names the grant that came of it."""
    decisions = _decided(told, "approve")
    if "grant" not in told.detail:
        status, step = AnyOf((R.PENDING.value, R.APPROVED.value)), AnyOf((told.so_far["step"], ""))
        return {"status": status, "decisions": decisions, "open_step": step}
    if told.detail["grant"]:
        return {"status": R.APPROVED.value, "decisions": decisions, "open_step": ""}
    return {"status": R.PENDING.value, "decisions": decisions}


def _at_step(number: int) -> Columns:
    """`step` is for what follows: an earlier release did not say whether an approval closed it."""
    return {"status": R.PENDING.value, "step": number, "open_step": number}


def _denied(told: Told) -> Columns:
    return {"status": R.DENIED.value, "decisions": _decided(told, "deny"), "open_step": ""}


def _closed(status: AccessRequest.Status) -> Makes:
    return lambda told: {"status": status.value, "open_step": ""}


def _open_step(row: AccessRequest) -> int | str:
    return next((stage.number for stage in row.stages.all() if stage.status == Stage.Status.OPEN), "")


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
    rows=lambda: AccessRequest.objects.select_related(
        "requester", "beneficiary", "withdrawn_by", "entitlement"
    ).prefetch_related("decisions__by", "decisions__stage", "stages"),
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
        "open_step": _open_step,
        "closed_because": lambda row: row.closed_because,
        "withdrawn_by": lambda row: row.withdrawn_by.username if row.withdrawn_by_id is not None else "",
    },
    makes={
        Verb.REQUEST_SUBMITTED: _submitted,
        Verb.REQUEST_GRANTED_AT_ONCE: _closed(R.APPROVED),
        Verb.REQUEST_APPROVED: _approved,
        Verb.REQUEST_STAGE_DONE: lambda told: _at_step(told.detail["next_stage"]),
        Verb.REQUEST_DENIED: _denied,
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
                Verb.REQUEST_WITHDRAWN,
                Verb.REQUEST_LAPSED,
            }
        ),
        **dict.fromkeys((R.APPROVED, R.DENIED, R.WITHDRAWN, R.LAPSED), frozenset()),
    },
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
    """The approval from which the grant came; one that only closes a step names none.

    Approvals of earlier releases name no grant: there, every approval of a request may be the last one.
    """
    if "grant" in told.detail and not told.detail["grant"]:
        return {}
    named = "grant" in told.detail
    if told.so_far.get("named"):
        raise OutOfPlace("the grant was created already.")
    said = {name: told.detail[name] if named else told.said(name) for name in ASKED} | {"starts_at": _start(told)}
    empty = dict.fromkeys(
        ("end_reason", "end_comment", "ended_by", "failure", "ends_at", "verified_at", "kept_for"), ""
    )
    return {
        **said,
        **{name: told.said(name) for name in GIVEN},
        **empty,
        "status": G.APPLYING.value,
        "deployment": told.event.deployment,
        "request": told.event.request,
        "named": named,
        "may_wait": said["starts_at"] != "",
    }


def _scheduled(told: Told) -> Columns:
    said = {"starts_at": _start(told), "beneficiary": told.detail["beneficiary"]}
    if not told.so_far["may_wait"] or any(told.so_far[name] not in (UNSAID, said[name]) for name in said):
        raise OutOfPlace("its approval set another start or person.")
    return {"status": G.SCHEDULED.value, **said, "may_wait": False}


def _started(told: Told) -> Columns:
    """What it gives is read from the entitlement again when it starts."""
    return {"status": G.APPLYING.value, **{name: told.said(name) for name in GIVEN}}


def _active(told: Told) -> Columns:
    """Its time runs from the moment when Airflow showed the role."""
    verified, ends, duration = told.changed("verified_at"), told.detail["ends_at"], told.so_far["duration"]
    latest = told.event.at + SLACK
    if verified is not UNKNOWN and datetime.fromisoformat(verified) > latest:
        raise OutOfPlace(f"it says that Airflow showed the role at {verified}, which is later than the event.")
    if duration is not UNSAID:
        begin = latest if verified is UNKNOWN else datetime.fromisoformat(verified)
        right, said = begin + durations.parse(duration), datetime.fromisoformat(ends)
        if said > right or (verified is not UNKNOWN and said != right):
            raise OutOfPlace(f"it lets {duration} end at {ends} instead of {right.isoformat()}.")
    return {"verified_at": verified, "ends_at": ends, "sent_at": SENT, "status": G.ACTIVE.value, "failure": ""}


def _failed(status: Grant.Status, **more: str) -> Makes:
    return lambda told: {"status": status.value, "failure": told.detail["why"], **more}


def _tried_again(told: Told) -> Columns:
    """One that is live is given again while it stays so."""
    live = told.so_far["status"] == G.ACTIVE.value
    return {"status": (G.ACTIVE if live else G.APPLYING).value, "failure": "", "may_wait": False}


def _ending(reason: str) -> Makes:
    """A grant that had not begun has ended with that; of any other Airflow is told first."""

    def makes(told: Told) -> Columns:
        over = told.so_far["status"] == G.SCHEDULED.value
        return {
            "status": G.ENDED.value if over else G.ENDING.value,
            "end_reason": reason,
            "end_comment": told.detail.get("reason", ""),
            "ended_by": _person(told.event.actor),
        }

    return makes


def _ended(told: Told) -> Columns:
    given = told.said("given")
    sent = given if given is UNSAID else SENT if given else ""
    return {"status": G.ENDED.value, "kept_for": told.detail.get("kept_for", ""), "sent_at": sent}


ENDINGS = frozenset(grants.ENDS.values())
OVER = frozenset(
    {
        Verb.GRANT_CAME_BACK,
        Verb.GRANT_TAKEN_AGAIN,
        Verb.GRANT_CAME_BACK_LATE,
        Verb.GRANT_GONE_AGAIN,
        Verb.GRANT_END_FAILED,
    }
)
GRANTS = Ledger(
    model=Grant,
    rows=lambda: Grant.objects.select_related("request", "entitlement", "beneficiary", "deployment", "ended_by"),
    named_by={"grant": lambda row: row.ref, "request": lambda row: row.request.ref},
    prefix=refs.GRANT,
    shown={
        "request": lambda row: row.request.ref,
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
        "ended_by": lambda row: row.ended_by.username if row.ended_by_id is not None else "",
        "failure": lambda row: row.failure,
        "sent_at": lambda row: SENT if row.sent_at else "",
    },
    makes={
        Verb.REQUEST_APPROVED: _made,
        Verb.REQUEST_GRANTED_AT_ONCE: _made,
        Verb.GRANT_SCHEDULED: _scheduled,
        Verb.GRANT_STARTED: _started,
        Verb.GRANT_ACTIVATED: _active,
        Verb.GRANT_FAILED: _failed(G.FAILED),
        Verb.GRANT_RETRIED: _tried_again,
        Verb.GRANT_GIVEN_UP: _failed(G.ENDING, sent_at=SENT),
        Verb.GRANT_LEFT_TO_ADMINS: lambda told: {"failure": told.detail["why"]},
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
        Verb.GRANT_ENDED: _ended,
        Verb.GRANT_END_FAILED: nothing,
    },
    begins=frozenset({Verb.REQUEST_APPROVED, Verb.REQUEST_GRANTED_AT_ONCE}),
    next={
        "": frozenset({Verb.REQUEST_APPROVED, Verb.REQUEST_GRANTED_AT_ONCE}),
        G.SCHEDULED: frozenset({Verb.GRANT_STARTED, *ENDINGS}),
        G.APPLYING: frozenset(
            {
                Verb.REQUEST_APPROVED,  # of an earlier release, or of a step before the last
                Verb.GRANT_SCHEDULED,
                Verb.GRANT_ACTIVATED,
                Verb.GRANT_FAILED,
                Verb.GRANT_GIVEN_UP,
                *ENDINGS,
            }
        ),
        G.ACTIVE: frozenset(
            {
                Verb.GRANT_RETRIED,
                Verb.GRANT_MISSING,
                Verb.GRANT_GIVEN_AGAIN,
                Verb.GRANT_FOUND_AGAIN,
                Verb.GRANT_LEFT_TO_ADMINS,
                Verb.GRANT_UNUSABLE,
                Verb.GRANT_USABLE,
                *ENDINGS,
            }
        ),
        G.ENDING: frozenset({Verb.GRANT_ENDED, Verb.GRANT_FAILED, Verb.GRANT_END_FAILED}),
        G.ENDED: OVER,
        G.FAILED: OVER | {Verb.GRANT_RETRIED, *ENDINGS},
    },
    not_compared={
        "id": "names the row",
        "created_at": "the time of its event, but for a moment",
        "ended_at": "the time of its event, but for a moment",
        "airflow_user": "found in Airflow",
        "airflow_user_id": "found in Airflow",
        "end_read_at": "when its holder read that it ended",
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
