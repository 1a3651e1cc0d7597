"""What the trail says of grants: which event makes which column, for verifying."""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts.operator import OS_ACCOUNT
from portal.access import grants
from portal.access.kinds import said_start
from portal.access.models import Grant
from portal.audit.compare import NOT_RECORDED, UNKNOWN, Columns, Ledger, LedgerEvent, Makes, OutOfPlace, nothing
from portal.audit.record import SYSTEM
from portal.audit.verbs import Verb
from portal.core import clock, durations, refs

ASKED = ("entitlement", "beneficiary", "duration", "starts_at")
GIVEN = ("role", "dag_id", "level")
SENT = "a moment"  # of `sent_at`, whose time no event says
SLACK = timedelta(minutes=1)  # a moment and the time of its event are of one clock, but for its corrections
G = Grant.Status


def _person(actor: str) -> str:
    """The user name of an actor; empty for Gatehouse itself and for an account of the operating system."""
    return "" if actor == SYSTEM or actor.startswith(OS_ACCOUNT) else actor


def _made(told: LedgerEvent) -> Columns:
    """The approval from which the grant came; one that only closes a step names none.

    Approvals of earlier releases name no grant: there, every approval of a request may be the last one.
    """
    if "grant" in told.detail and not told.detail["grant"]:
        return {}
    named = "grant" in told.detail
    if told.so_far.get("named"):
        raise OutOfPlace("the grant was created already.")
    said = {name: told.detail[name] if named else told.said(name) for name in ASKED} | {"starts_at": said_start(told)}
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
        "rules": "",
        "named": named,
        "may_wait": said["starts_at"] != "",
    }


def _scheduled(told: LedgerEvent) -> Columns:
    said = {"starts_at": said_start(told), "beneficiary": told.detail["beneficiary"]}
    if not told.so_far["may_wait"] or any(told.so_far[name] not in (NOT_RECORDED, said[name]) for name in said):
        raise OutOfPlace("its approval set another start or person.")
    return {"status": G.SCHEDULED.value, **said, "may_wait": False}


def _started(told: LedgerEvent) -> Columns:
    """What it gives is read from the entitlement again when it starts."""
    return {"status": G.APPLYING.value, **{name: told.said(name) for name in GIVEN}}


def _active(told: LedgerEvent) -> Columns:
    """Its time runs from the moment when Airflow showed the role."""
    verified, ends, duration = told.changed("verified_at"), told.detail["ends_at"], told.so_far["duration"]
    latest = told.event.at + SLACK
    if verified is not UNKNOWN and datetime.fromisoformat(verified) > latest:
        raise OutOfPlace(f"it says that Airflow showed the role at {verified}, which is later than the event.")
    if duration is not NOT_RECORDED:
        begin = latest if verified is UNKNOWN else datetime.fromisoformat(verified)
        right, said = begin + durations.parse(duration), datetime.fromisoformat(ends)
        if said > right or (verified is not UNKNOWN and said != right):
            raise OutOfPlace(f"it lets {duration} end at {ends} instead of {right.isoformat()}.")
    return {"verified_at": verified, "ends_at": ends, "sent_at": SENT, "status": G.ACTIVE.value, "failure": ""}


def _failed(status: Grant.Status, **more: str) -> Makes:
    return lambda told: {"status": status.value, "failure": told.detail["why"], **more}


def _tried_again(told: LedgerEvent) -> Columns:
    """One that is live is given again while it stays so."""
    live = told.so_far["status"] == G.ACTIVE.value
    return {"status": (G.ACTIVE if live else G.APPLYING).value, "failure": "", "may_wait": False}


def _ending(reason: str) -> Makes:
    """A grant that had not begun has ended with that; of any other Airflow is told first."""

    def makes(told: LedgerEvent) -> Columns:
        over = told.so_far["status"] == G.SCHEDULED.value
        return {
            "status": G.ENDED.value if over else G.ENDING.value,
            "end_reason": reason,
            "end_comment": told.detail.get("reason", ""),
            "ended_by": _person(told.event.actor),
        }

    return makes


def _ended(told: LedgerEvent) -> Columns:
    given = told.said("given")
    sent = given if given is NOT_RECORDED else SENT if given else ""
    return {"status": G.ENDED.value, "kept_for": told.detail.get("kept_for", ""), "sent_at": sent}


def _other_rules(row: Grant) -> str:
    """What the grant says of its origin and its policy otherwise than its request; empty where they agree."""
    request = row.request
    if request is None:
        return "no request" if row.origin == Grant.Origin.REQUEST else ""
    at_once = not request.stages.all()
    said = (row.origin, row.policy, row.policy_version, row.at_once)
    right = (Grant.Origin.REQUEST, request.policy, request.policy_version, at_once)
    return "" if said == right else f"{said} instead of {right}"


def _request(row: Grant) -> str:
    return refs.ref(refs.REQUEST, row.request_id) if row.request_id else ""


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
        "origin": "compared with its request, as `rules`",
        "policy": "compared with its request, as `rules`",
        "policy_version": "compared with its request, as `rules`",
        "at_once": "compared with the stages of its request, as `rules`",
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
