"""A named lock across processes and hosts, with a time limit."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from portal.core import clock, heartbeat
from portal.operations.models import Process, Turn


def take(name: str, *, seconds: float) -> bool:
    """Take the lock `name` for `seconds`, or until `give_back`. Returns whether this process has it."""
    now, me = clock.now(), heartbeat.process_id()
    until = now + timedelta(seconds=seconds)
    rows = Turn.objects.filter(name=name)
    ended = Process.objects.exclude(ended_at=None).values("pk")
    if rows.filter(Q(held_by=me) | Q(until__lte=now) | Q(held_by__in=ended)).update(held_by=me, until=until):
        return True
    if rows.exists():
        return False
    try:
        with transaction.atomic():
            Turn.objects.create(name=name, held_by=me, until=until)
    except IntegrityError:
        return False
    return True


def give_back(name: str) -> None:
    Turn.objects.filter(name=name, held_by=heartbeat.process_id()).update(until=clock.now())
