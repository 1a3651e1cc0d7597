"""The tone and icon of every status. A status always has a word and an icon too, never only a colour."""

from __future__ import annotations

from typing import Any, NamedTuple


class Tone(NamedTuple):
    tone: str  # good, waiting, attention, refused or plain
    icon: str


GOOD = Tone("good", "check-circle")
WAITING = Tone("waiting", "clock")
MOVING = Tone("waiting", "arrow-path")
ATTENTION = Tone("attention", "exclamation-triangle")
REFUSED = Tone("refused", "x-circle")
OVER = Tone("plain", "minus-circle")

# by model and status; a status that is not listed is plain
TONES: dict[str, dict[str, Tone]] = {
    "accessrequest": {
        "pending": WAITING,
        "approved": GOOD,
        "denied": REFUSED,
        "withdrawn": OVER,
        "lapsed": OVER,
        "returned": ATTENTION,
    },
    "runrequest": {
        "pending": WAITING,
        "approved": GOOD,
        "denied": REFUSED,
        "withdrawn": OVER,
        "lapsed": OVER,
        "returned": ATTENTION,
        "scheduled": WAITING,
        "started": MOVING,
        "not_started": ATTENTION,
        "cancelled": OVER,
    },
    "permitrequest": {
        "pending": WAITING,
        "approved": GOOD,
        "denied": REFUSED,
        "withdrawn": OVER,
        "lapsed": OVER,
        "returned": ATTENTION,
    },
    "permit": {"active": GOOD, "used_up": OVER, "expired": OVER, "revoked": ATTENTION},
    "grant": {
        "scheduled": WAITING,
        "applying": MOVING,
        "active": GOOD,
        "ending": MOVING,
        "ended": OVER,
        "failed": REFUSED,
    },
    "operation": {
        "queued": WAITING,
        "running": MOVING,
        "succeeded": GOOD,
        "failed": REFUSED,
        "cancelled": OVER,
        "superseded": OVER,
    },
    "run": {
        "requested": MOVING,
        "queued": WAITING,
        "running": MOVING,
        "success": GOOD,
        "failed": REFUSED,
    },
    "deploymentstate": {
        "unknown": OVER,
        "up": GOOD,
        "down": ATTENTION,
        "needs_reauthentication": ATTENTION,
    },
    "auditevent": {"success": GOOD, "refused": REFUSED, "failed": ATTENTION},
}

RISKS = {
    "low": Tone("plain", "shield-check"),
    "medium": Tone("waiting", "shield-check"),
    "high": Tone("attention", "shield-exclamation"),
}


def of(thing: Any, field: str = "status") -> tuple[Tone, str]:
    """The tone and the word of a model instance's status."""
    if trouble := getattr(thing, "trouble", ""):
        return ATTENTION, trouble
    tones = TONES.get(thing._meta.model_name, {})
    word = getattr(thing, f"get_{field}_display")()
    return tones.get(getattr(thing, field), OVER), word


def of_state(state: str | None) -> Tone:
    """The tone of Airflow's state of a run or a task."""
    return {
        "success": GOOD,
        "failed": REFUSED,
        "upstream_failed": REFUSED,
        "running": MOVING,
        "restarting": MOVING,
        "queued": WAITING,
        "scheduled": WAITING,
        "deferred": WAITING,
        "up_for_retry": ATTENTION,
        "up_for_reschedule": WAITING,
    }.get(state or "", OVER)
