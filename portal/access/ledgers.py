"""Grants in the audit trail, for verifying: the columns that each event sets."""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts.operator import OS_ACCOUNT
from portal.access import grants
from portal.access.kinds import recorded_start
from portal.access.models import Grant
from portal.audit.compare import NOT_RECORDED, UNKNOWN, Columns, Ledger, LedgerEvent, Makes, OutOfPlace, nothing
from portal.audit.record import SYSTEM
from portal.audit.verbs import Verb
from portal.core import clock, durations, refs

ASKED = ("entitlement", "beneficiary", "duration", "starts_at")
GIVEN = ("role", "dag_id", "level")
SENT = "a moment"  # stands for any time in `sent_at`, which no event contains
SLACK = timedelta(minutes=1)  # both times come from one clock, but the clock may be corrected in between
G = Grant.Status


def _person(actor: str) -> str:
    """The user name of an actor; empty for Gatehouse itself and for an account of the operating system."""
    return "" if actor == SYSTEM or actor.startswith(OS_ACCOUNT) else actor


def _made(recorded: LedgerEvent) -> Columns:
    """The approval that created the grant. An approval that only closes a step names no grant.

    In earlier releases no approval names a grant, so every approval of a request may be the last one.
    """
    if "grant" in recorded.detail and not recorded.detail["grant"]:
        return {}
    named = "grant" in recorded.detail
    if recorded.before.get("named"):
        raise OutOfPlace("the grant was created already.")
    columns = {name: recorded.detail[name] if named else recorded.value(name) for name in ASKED} | {
        "starts_at": recorded_start(recorded)
    }
    empty = dict.fromkeys(
        ("end_reason", "end_comment", "ended_by", "failure", "ends_at", "verified_at", "kept_for"), ""
    )
    return {
        **columns,
        **{name: recorded.value(name) for name in GIVEN},
        **empty,
        "status": G.APPLYING.value,
        "deployment": recorded.event.deployment,
        "request": recorded.event.request,
        "rules": "",
        "named": named,
        "may_wait": columns["starts_at"] != "",
    }


def _scheduled(recorded: LedgerEvent) -> Columns:
    columns = {"starts_at": recorded_start(recorded), "beneficiary": recorded.detail["beneficiary"]}
    if not recorded.before["may_wait"] or any(
        recorded.before[name] not in (NOT_RECORDED, columns[name]) for name in columns
    ):
        raise OutOfPlace("its approval set another start or person.")
    return {"status": G.SCHEDULED.value, **columns, "may_wait": False}


def _started(recorded: LedgerEvent) -> Columns:
    """The role is read from the entitlement again when the grant starts."""
    return {"status": G.APPLYING.value, **{name: recorded.value(name) for name in GIVEN}}


def _active(recorded: LedgerEvent) -> Columns:
    """The time of a grant begins when Airflow shows the role."""
    verified, ends, duration = recorded.changed("verified_at"), recorded.detail["ends_at"], recorded.before["duration"]
    latest = recorded.event.at + SLACK
    if verified is not UNKNOWN and datetime.fromisoformat(verified) > latest:
        raise OutOfPlace(f"it says that Airflow showed the role at {verified}, which is later than the event.")
    if duration is not NOT_RECORDED:
        begin = latest if verified is UNKNOWN else datetime.fromisoformat(verified)
        right, end = begin + durations.parse(duration), datetime.fromisoformat(ends)
        if end > right or (verified is not UNKNOWN and end != right):
            raise OutOfPlace(f"it lets {duration} end at {ends} instead of {right.isoformat()}.")
    return {"verified_at": verified, "ends_at": ends, "sent_at": SENT, "status": G.ACTIVE.value, "failure": ""}


def _failed(status: Grant.Status, **more: str) -> Makes:
    return lambda recorded: {"status": status.value, "failure": recorded.detail["why"], **more}


def _tried_again(recorded: LedgerEvent) -> Columns:
    """An active grant stays active while its role is restored."""
    live = recorded.before["status"] == G.ACTIVE.value
    return {"status": (G.ACTIVE if live else G.APPLYING).value, "failure": "", "may_wait": False}


def _ending(reason: str) -> Makes:
    """A scheduled grant ends with this event. Any other grant is ending until its role is removed in Airflow."""

    def makes(recorded: LedgerEvent) -> Columns:
        over = recorded.before["status"] == G.SCHEDULED.value
        return {
            "status": G.ENDED.value if over else G.ENDING.value,
            "end_reason": reason,
            "end_comment": recorded.detail.get("reason", ""),
            "ended_by": _person(recorded.event.actor),
        }

    return makes


def _ended(recorded: LedgerEvent) -> Columns:
    given = recorded.value("given")
    sent = given if given is NOT_RECORDED else SENT if given else ""
    return {"status": G.ENDED.value, "kept_for": recorded.detail.get("kept_for", ""), "sent_at": sent}


def _other_rules(row: Grant) -> str:
    """The origin and policy of the grant, if they differ from its request; empty if they are the same."""
    request = row.request
    if request is None:
        return "no request" if row.origin == Grant.Origin.REQUEST else ""
    at_once = not request.stages.all()
    stored = (row.origin, row.policy, row.policy_version, row.at_once)
    expected = (Grant.Origin.REQUEST, request.policy, request.policy_version, at_once)
    return "" if stored == expected else f"{stored} instead of {expected}"


def _request(row: Grant) -> str:
    return refs.ref(refs.REQUEST, row.request_id) if row.request_id else ""


ENDINGS = frozenset(grants.END_VERBS.values())
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
    rows=lambda: Grant.objects.select_related(
        "request", "entitlement", "beneficiary", "deployment", "ended_by"
    ).prefetch_related("request__stages"),
    prefix=refs.GRANT,
    known_by={refs.REQUEST: _request},
    shown={
        "request": _request,
        "beneficiary": lambda row: row.beneficiary.username,
        "entitlement": lambda row: row.entitlement.key,
        "deployment": lambda row: row.deployment.name,
        "role": lambda row: row.role,
        "dag_id": lambda row: row.dag_id,
        "level": lambda row: row.level,
        "status": lambda row: row.status,
        "duration": lambda row: durations.iso(row.duration),
        "starts_at": lambda row: clock.iso_or_empty(row.starts_at),
        "verified_at": lambda row: clock.iso_or_empty(row.verified_at),
        "ends_at": lambda row: clock.iso_or_empty(row.ends_at),
        "end_reason": lambda row: row.end_reason,
        "end_comment": lambda row: row.end_comment,
        "kept_for": lambda row: row.kept_for,
        "ended_by": lambda row: row.ended_by.username if row.ended_by_id is not None else "",
        "failure": lambda row: row.failure,
        "sent_at": lambda row: SENT if row.sent_at else "",
        "rules": _other_rules,
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
        Verb.GRANT_LEFT_TO_ADMINS: lambda recorded: {"failure": recorded.detail["why"]},
        Verb.GRANT_GIVEN_AGAIN: lambda recorded: {"failure": ""},
        Verb.GRANT_FOUND_AGAIN: lambda recorded: {"failure": ""},
        Verb.GRANT_MISSING: nothing,
        Verb.GRANT_UNUSABLE: nothing,
        Verb.GRANT_USABLE: nothing,
        Verb.GRANT_CAME_BACK: nothing,
        Verb.GRANT_TAKEN_AGAIN: nothing,
        Verb.GRANT_CAME_BACK_LATE: nothing,
        Verb.GRANT_GONE_AGAIN: nothing,
        **{verb: _ending(reason) for reason, verb in grants.END_VERBS.items()},
        Verb.GRANT_ENDED: _ended,
        Verb.GRANT_END_FAILED: nothing,
    },
    begins=frozenset({Verb.REQUEST_APPROVED, Verb.REQUEST_GRANTED_AT_ONCE}),
    next={
        "": frozenset({Verb.REQUEST_APPROVED, Verb.REQUEST_GRANTED_AT_ONCE}),
        G.SCHEDULED: frozenset({Verb.GRANT_STARTED, *ENDINGS}),
        G.APPLYING: frozenset(
            {
                Verb.REQUEST_APPROVED,  # an event of an earlier release, or of a step before the last
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
        "id": "identifies the row",
        "created_at": "nearly the time of the event",
        "origin": "compared with its request, as `rules`",
        "policy": "compared with its request, as `rules`",
        "policy_version": "compared with its request, as `rules`",
        "at_once": "compared with the stages of its request, as `rules`",
        "ended_at": "nearly the time of the event",
        "airflow_user": "read from Airflow",
        "airflow_user_id": "read from Airflow",
        "end_read_at": "only for the home page of the holder",
        "apply_by": "set by the worker",
        "ineligible_since": "set by the worker",
        "look_at": "set by the worker",
        "looks": "set by the worker",
        "missing_since": "set by the worker",
        "given_again": "set by the worker",
        "left_at": "set by the worker",
        "back_since": "set by the worker",
        "unusable_since": "set by the worker",
    },
)
