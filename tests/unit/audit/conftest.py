from __future__ import annotations

from dataclasses import dataclass

import pytest

from portal.audit import compare
from portal.audit.models import AuditEvent
from portal.audit.record import recording
from portal.audit.verbs import Verb


@dataclass(frozen=True)
class Somebody:
    """An actor: the trail needs no more of a person than a name."""

    name: str

    def get_username(self) -> str:
        return self.name


def happen(
    target: str = "REQ-1", *, verb: Verb = Verb.REQUEST_APPROVED, by: str = "lead", **more: object
) -> AuditEvent:
    """One event in a transaction of its own."""
    with recording() as trail:
        trail.add(verb, by=Somebody(by), target=target, **more)
    return AuditEvent.objects.get(seq=AuditEvent.objects.count())


@pytest.fixture(autouse=True)
def _of_the_trail_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The events of these tests speak of requests that are not there: nothing is compared with rows."""
    monkeypatch.setattr(compare, "LEDGERS", [])


@pytest.fixture
def ten_events(db: None) -> None:
    for number in range(1, 11):
        happen(f"REQ-{number}", about=[f"REQ-{number}", "deployment:demo"], detail={"comment": f"number {number}"})
