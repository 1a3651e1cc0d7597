from __future__ import annotations

import re

import pytest

from portal.approvals.lapsing import NOT_IN_TIME
from portal.audit.format import canonical
from portal.audit.models import AuditEvent
from portal.audit.presenters import SPECIAL, sentence
from portal.audit.sentences import CLAUSES, SENTENCES
from portal.audit.verbs import Verb
from tests.unit.audit.conftest import happen


def said(verb: str, **columns: object) -> str:
    """The sentence of an event that stands in no database."""
    document = {"detail": columns.pop("detail", {}), "about": ["REQ-12", "deployment:demo"]}
    values = {"actor": "lead", "target": "REQ-12", "outcome": "success"} | columns
    return sentence(AuditEvent(seq=1, verb=verb, payload=canonical(document), **values))


def test_every_event_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Verb)


@pytest.mark.parametrize("verb", Verb)
def test_every_sentence_works_without_details(verb: Verb) -> None:
    words = said(verb)
    assert not re.search(r"[{}]|None|  |\(\)|: *$", words), words
    assert words[0].isupper() or words.startswith(("lead", "REQ-12"))


@pytest.mark.parametrize("verb", Verb)
def test_refusals_and_failures_say_why(verb: Verb) -> None:
    words = said(verb, detail={"said": "the reason", "why": "the reason", "first_bad": "the reason"})
    failed = verb.endswith(("_refused", "_failed", ".lost", ".lapsed"))
    assert ("the reason" in words) == failed, words


def test_every_clause_is_used_by_a_sentence() -> None:
    used = {name for template in SENTENCES.values() for name in re.findall(r"{(\w+)}", template)}
    assert (CLAUSES.keys() | SPECIAL.keys()) - used == set()


@pytest.mark.parametrize(
    "verb, columns, words",
    [
        (
            Verb.REQUEST_SUBMITTED,
            {"actor": "employee", "detail": {"entitlement": "demo/role/Op", "duration": "PT8H", "reason": "close",
                                             "beneficiary": "employee"}},
            "employee asked for demo/role/Op for 8 hours (REQ-12): “close”",
        ),
        (
            Verb.REQUEST_SUBMITTED,
            {"actor": "lead", "detail": {"entitlement": "demo/role/Op", "beneficiary": "employee"}},
            "lead asked for demo/role/Op for employee (REQ-12)",
        ),
        (Verb.REQUEST_APPROVED, {"detail": {"duration": "PT2H", "comment": ""}}, "lead approved REQ-12 for 2 hours"),
        (
            Verb.REQUEST_APPROVE_REFUSED,
            {"actor": "employee", "detail": {"reason": "own_request", "said": "This is your own request."}},
            "employee could not approve REQ-12: This is your own request.",
        ),
        (Verb.REQUEST_LAPSED, {"actor": "gatehouse"}, "REQ-12 lapsed: it was not decided in time"),
        (
            Verb.REQUEST_LAPSED,
            {"actor": "gatehouse", "detail": {"why": NOT_IN_TIME}},
            "REQ-12 lapsed: It was not decided in time.",
        ),
        (
            Verb.REQUEST_LAPSED,
            {"actor": "gatehouse", "detail": {"why": "demo/role/Op is no longer offered."}},
            "REQ-12 lapsed: demo/role/Op is no longer offered.",
        ),
        (
            Verb.REQUEST_DENIED,
            {"detail": {"comment": "two\nlines"}},
            "lead denied REQ-12: “two lines”",
        ),
        (
            Verb.TOKEN_REVOKED,
            {"actor": "ops", "on_behalf_of": "lead", "target": "gh_abc", "detail": {"name": "script"}},
            "ops for lead revoked the token gh_abc “script”",
        ),
        (
            Verb.GROUPS_CHANGED,
            {"actor": "ops", "target": "lead", "detail": {"before": [], "after": ["data", "sales"]}},
            "ops changed the groups of lead: from none to data, sales",
        ),
        (
            Verb.AUDIT_EXPORTED,
            {"actor": "auditor", "detail": {"rows": 0, "format": "csv", "filter": {"actor": "lead", "q": "x"}}},
            "auditor exported 0 events of the trail as csv, filtered by actor lead, q x",
        ),
        (
            Verb.AUDIT_FORMAT_CHANGED,
            {"actor": "gatehouse", "detail": {"events": 7, "verified": True}},
            "Gatehouse converted 7 events of the trail to another format, verified",
        ),
        (
            Verb.AUDIT_FORMAT_CHANGED,
            {"actor": "gatehouse", "detail": {"events": 7, "verified": False, "problems": ["Event 3 was changed."]}},
            "Gatehouse converted 7 events of the trail to another format, and found changes: Event 3 was changed.",
        ),
    ],
)  # fmt: skip
def test_in_plain_words(verb: Verb, columns: dict, words: str) -> None:
    assert said(verb, **columns) == words


def test_an_event_of_a_later_version_is_shown_without_a_sentence() -> None:
    assert said("campaign.opened", actor="admin", target="CA-1") == "admin: campaign.opened CA-1"


@pytest.mark.django_db
def test_what_people_wrote_cannot_become_part_of_a_template() -> None:
    event = happen(detail={"comment": "{actor} {0} %s", "duration": "{x}"})
    assert sentence(event) == "lead approved REQ-1: “{actor} {0} %s”"
