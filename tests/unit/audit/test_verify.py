"""What verifying finds after somebody turned the triggers off, and what a chain alone cannot find (docs/audit.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import F

from portal.audit.format import canonical, chained, leaf_of
from portal.audit.models import AuditEvent, AuditHead, AuditReference
from portal.audit.verbs import Verb
from portal.audit.verify import SHOWN, verify, verify_and_record
from tests import trail
from tests.unit.audit.conftest import Somebody, happen

pytestmark = pytest.mark.django_db

E = AuditEvent.objects


def rechain(first: int) -> None:
    """What a careful forger does after a change: recompute every hash from event `first` on, and the head."""
    last = E.get(seq=first - 1).chain
    for event in E.filter(seq__gte=first).order_by("seq"):
        leaf = leaf_of(event.payload)
        digest = chained(last, leaf)
        E.filter(seq=event.seq).update(prev=last, leaf=leaf, chain=digest)
        last = digest
    AuditHead.objects.update(seq=E.order_by("-seq")[0].seq, chain=last)


def swap() -> None:
    third, fourth = E.get(seq=3), E.get(seq=4)
    E.filter(seq=3).update(seq=30)
    E.filter(seq=4).update(seq=3)
    E.filter(seq=30).update(seq=4)
    assert (third.chain, fourth.chain) == (E.get(seq=4).chain, E.get(seq=3).chain)


def forge_payload(seq: int = 3) -> None:
    E.filter(seq=seq).update(payload=E.get(seq=seq).payload.replace("comment", "remark"))


def forge_payload_and_leaf() -> None:
    forge_payload()
    E.filter(seq=3).update(leaf=leaf_of(E.get(seq=3).payload))


def forge_payload_leaf_and_chain(payload: str = "") -> None:
    if payload:
        E.filter(seq=3).update(payload=payload)
    else:
        forge_payload()
    event = E.get(seq=3)
    leaf = leaf_of(event.payload)
    E.filter(seq=3).update(leaf=leaf, chain=chained(event.prev, leaf))


def say(**changes: object) -> Callable[[], object]:
    """Event 3 with another text, chained as it should be; None takes a name out."""

    def act() -> None:
        document = {name: value for name, value in {**E.get(seq=3).document, **changes}.items() if value is not None}
        forge_payload_leaf_and_chain(canonical(document))
        rechain(4)

    return act


def renumber_after_delete() -> None:
    E.filter(seq=3).delete()
    for seq in range(4, 11):
        E.filter(seq=seq).update(seq=seq - 1)


def append_beyond_head() -> None:
    last = E.get(seq=10)
    text = last.payload.replace('"seq":10', '"seq":11')
    last.seq, last.payload, last.prev, last.leaf = 11, text, last.chain, leaf_of(text)
    last.chain = chained(last.prev, last.leaf)
    last.save(force_insert=True)


def set_projection(name: str, value: object) -> Callable[[], object]:
    return lambda: E.filter(seq=3).update(**{name: value})


# attack: (what is done, the first number that is wrong, words that must be said)
FOUND = {
    "text changed": (forge_payload, 3, "Event 3 was changed: its leaf does not match its text."),
    "text and leaf changed": (forge_payload_and_leaf, 3, "Event 3 was changed: its hash does not match its leaf."),
    "text, leaf and hash changed": (
        forge_payload_leaf_and_chain, 4, "Event 4 does not follow event 3 as it is now",
    ),
    "leaf changed": (lambda: E.filter(seq=3).update(leaf="a" * 64), 3, "its hash does not match its leaf."),
    "leaf is no hash": (lambda: E.filter(seq=3).update(leaf="a" * 62), 3, "Event 3 has no valid previous hash, or no"),
    "first event changed": (
        lambda: forge_payload(1), 1, "Event 1 was changed",
    ),
    "last event changed": (
        lambda: forge_payload(10), 10, "Event 10 was changed",
    ),
    "hash changed": (lambda: E.filter(seq=3).update(chain="a" * 64), 3, "Event 3 was changed"),
    "prev changed": (lambda: E.filter(seq=3).update(prev="a" * 64), 3, "does not follow event 2"),
    "prev is no hash": (lambda: E.filter(seq=3).update(prev="none"), 3, "Event 3 has no valid previous hash, or no"),
    "first prev changed": (lambda: E.filter(seq=1).update(prev="a" * 64), 1, "does not follow the beginning"),
    "removed from the middle": (lambda: E.filter(seq=3).delete(), 3, "event 3 is missing"),
    "several removed": (lambda: E.filter(seq__in=[3, 4, 5]).delete(), 3, "events 3 to 5 are missing"),
    "first removed": (lambda: E.filter(seq=1).delete(), 1, "event 1 is missing"),
    "search_text column": (
        set_projection("search_text", "nothing"), 3, "The column search_text of event 3 does not match",
    ),
    "swapped": (swap, 3, "Event 3 does not follow event 2"),
    "renumbered": (lambda: E.filter(seq=10).update(seq=12), 10, "missing"),
    "removed and renumbered": (renumber_after_delete, 3, "Event 3 does not follow event 2"),
    "put before the beginning": (lambda: E.filter(seq=10).update(seq=0), 0, "has the number 0"),
    "tail cut, head left": (lambda: E.filter(seq__gt=7).delete(), 8, "cut off: events 8 to 10 are missing"),
    "everything removed, head left": (lambda: E.all().delete(), 1, "events 1 to 10 are missing"),
    "head rewound, tail left": (
        lambda: AuditHead.objects.update(seq=7, chain=E.get(seq=7).chain), 8, "events beyond the head, which names 7",
    ),
    "head with another hash": (lambda: AuditHead.objects.update(chain="a" * 64), 10, "The head does not name event 10"),
    "head removed": (lambda: AuditHead.objects.all().delete(), 0, "The head of the chain is missing"),
    "appended beyond the head": (append_beyond_head, 11, "events beyond the head"),
    "text is no JSON": (lambda: E.filter(seq=3).update(payload="{"), 3, "is not canonical JSON"),
    "text is no object": (lambda: E.filter(seq=3).update(payload="[]"), 3, "is not canonical JSON"),
    "actor column": (set_projection("actor", "boss"), 3, "actor of event 3 does not match its text"),
    "verb column": (set_projection("verb", "request.denied"), 3, "The column verb of event 3"),
    "outcome column": (set_projection("outcome", "refused"), 3, "The column outcome of event 3"),
    "target column": (set_projection("target", "REQ-99"), 3, "The column target of event 3"),
    "token column": (set_projection("token", "gh_x"), 3, "The column token of event 3"),
    "source column": (set_projection("source", "203.0.113.9"), 3, "The column source of event 3"),
    "on_behalf_of column": (set_projection("on_behalf_of", "x"), 3, "The column on_behalf_of of event 3"),
    "another reference": (lambda: trail.refer(3, "REQ-3", "deployment:prod"), 3, "The references of event 3 do not"),
    "no reference": (lambda: trail.refer(3), 3, "The references of event 3 do not match its text."),
    "one more reference": (
        lambda: trail.refer(3, "REQ-3", "deployment:demo", "GR-1"), 3, "The references of event 3 do not match",
    ),
    "references of no event": (lambda: trail.refer(99, "REQ-3"), 99, "There are references of event 99, which"),
    "references before the first event": (lambda: trail.refer(-1, "REQ-3"), -1, "There are references of event -1"),
    "references of a missing event": (lambda: E.filter(seq=3).delete(), 3, "There are references of event 3, which"),
    "no version": (say(v=None), 3, "The text of event 3 has no proper v,"),
    "another version": (say(v=2), 3, "The text of event 3 has no proper v,"),
    "a version that is true": (say(v=True), 3, "The text of event 3 has no proper v,"),
    "no salt": (say(salt=None), 3, "The text of event 3 has no proper salt,"),
    "a short salt": (say(salt="ab"), 3, "The text of event 3 has no proper salt,"),
    "about nothing": (say(about=[]), 3, "The text of event 3 has no proper about,"),
    "about a number": (say(about=["REQ-3", 7]), 3, "The text of event 3 has no proper about,"),
    "not about its target": (say(about=["REQ-4"]), 3, "The references of event 3 lack its target."),
    "detail that is a list": (say(detail=[]), 3, "The text of event 3 has no proper detail,"),
    "time column": (set_projection("at", "2026-01-01T00:00:00Z"), 3, "The column at of event 3"),
    "two columns": (
        lambda: E.filter(seq=3).update(actor="x", target="y"), 3, "The columns actor, target of event 3 do not match",
    ),
}  # fmt: skip


@pytest.mark.usefixtures("ten_events")
@pytest.mark.parametrize("attack", FOUND)
def test_found(attack: str) -> None:
    done, first, words = FOUND[attack]
    assert verify().ok
    with trail.triggers_off():
        done()
    result = verify()
    assert not result.ok
    assert result.first_bad == first, result.problems
    assert any(words in problem for problem in result.problems), result.problems


@pytest.mark.usefixtures("ten_events")
def test_every_column_is_compared_with_the_text() -> None:
    compared = {attack.removesuffix(" column") for attack in FOUND if attack.endswith(" column")} - {"time"} | {"at"}
    columns = {f.name for f in AuditEvent._meta.concrete_fields}
    assert compared == columns - {"seq", "payload", "prev", "leaf", "chain"}


@pytest.mark.usefixtures("ten_events")
@pytest.mark.parametrize("undone", ["rewritten", "cut with its head"])
def test_changes_that_the_chain_does_not_find(undone: str) -> None:
    """Said in docs/audit.md. What is kept elsewhere finds it: the number and hash that verifying printed before."""
    before = verify()
    with trail.triggers_off():
        if undone == "rewritten":
            forge_payload()
            rechain(3)
        else:
            E.filter(seq__gt=7).delete()
            AuditReference.objects.filter(seq__gt=7).delete()
            AuditHead.objects.update(seq=7, chain=E.get(seq=7).chain)
    after = verify()
    assert after.ok
    assert (after.head_seq, after.head_hash) != (before.head_seq, before.head_hash)


def test_an_empty_trail_is_unchanged() -> None:
    result = verify()
    assert (result.ok, result.events, result.head_seq) == (True, 0, 0)


@pytest.mark.usefixtures("ten_events")
def test_more_problems_than_anybody_reads_are_counted() -> None:
    for _ in range(30):
        happen()
    with trail.triggers_off():
        E.update(actor="nobody")
    result = verify()
    assert result.found == 40
    assert len(result.problems) == SHOWN + 1
    assert result.problems[-1] == "And 20 more."


@pytest.mark.usefixtures("ten_events")
def test_more_than_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.audit.verify.BATCH", 3)
    assert (verify().ok, verify().events) == (True, 10)
    with trail.triggers_off():
        E.filter(seq=7).delete()
    assert verify().first_bad == 7


@pytest.mark.usefixtures("ten_events")
def test_the_result_is_recorded() -> None:
    assert verify_and_record(by=Somebody("auditor")).ok
    event = E.get(seq=11)
    assert (event.verb, event.actor, event.outcome) == (Verb.AUDIT_VERIFIED, "auditor", "success")
    with trail.triggers_off():
        E.filter(seq=3).update(actor=F("target"))
    assert not verify_and_record(by=Somebody("auditor")).ok
    event = E.get(seq=12)
    assert (event.verb, event.outcome) == (Verb.AUDIT_VERIFY_FAILED, "failed")
    assert '"first_bad":3' in event.payload


@pytest.mark.usefixtures("ten_events")
def test_a_result_that_cannot_be_recorded_is_a_problem() -> None:
    with trail.triggers_off():
        AuditHead.objects.all().delete()
    result = verify_and_record(by=None)
    assert not result.ok
    assert "could not be recorded" in result.problems[-1]


@pytest.mark.usefixtures("ten_events")
@pytest.mark.parametrize("error", [DatabaseError("away"), InterfaceError("connection already closed")])
def test_a_result_is_returned_although_it_cannot_be_recorded(error: Exception) -> None:
    def fail(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith("INSERT"):
            raise error
        return execute(sql, *rest)

    with connection.execute_wrapper(fail):
        result = verify_and_record(by=None)
    assert not result.ok
    assert result.problems == [f"This result could not be recorded in the trail: {error}"]


def test_verifying_reads_a_batch_at_a_time(django_assert_max_num_queries: Callable) -> None:
    for _ in range(5):
        happen()
    with django_assert_max_num_queries(10):  # PostgreSQL asks for its guards in three queries, SQLite in one
        verify()
