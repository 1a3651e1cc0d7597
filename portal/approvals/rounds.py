"""The terms of each round of a request. Reads the prefetched `resubmissions`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from portal.approvals import kinds
from portal.approvals.models import Request
from portal.core import durations


class Terms(NamedTuple):
    """The fields that the requester can change when a request is returned."""

    duration: timedelta | None
    reason: str
    ticket: str
    own: Mapping[str, Any]  # the terms that only its kind has


def terms(request: Request) -> list[Terms]:
    """The terms of all rounds, first round first."""
    before = [
        Terms(one.duration_before, one.reason_before, one.ticket_before, one.own_before)
        for one in request.resubmissions.all()
    ]
    now = kinds.of(request).own_terms(request)
    return [*before, Terms(request.duration, request.reason, request.ticket, now)]


def changes(request: Request, round: int) -> str:
    """In words, the changes of a round compared with the previous one; empty if there are none. round: 2 or higher."""
    by_round = terms(request)
    if len(by_round) < round:  # a row is missing, which verifying the trail reports
        return ""
    before, after = by_round[round - 2 : round]
    words = kinds.of(request).changed_words(before.own, after.own)
    if after.duration != before.duration and after.duration and before.duration:
        words.append(f"For {durations.words(after.duration)} instead of {durations.words(before.duration)}.")
    if after.ticket != before.ticket:
        words.append(f"Ticket {after.ticket or 'left out'} instead of {before.ticket or 'none'}.")
    if after.reason != before.reason:
        words.append(f"New reason: {after.reason}")
    return " ".join(words)
