from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone

from portal.audit import queries
from portal.audit.models import AuditEvent
from portal.audit.queries import Filters, events
from portal.audit.record import recording
from portal.audit.searching import search_text
from portal.audit.verbs import Verb
from portal.core.errors import Invalid
from tests.unit.audit.conftest import Somebody, happen

REFUSED = AuditEvent.Outcome.REFUSED


def found(**params: str) -> list[int]:
    return [event.seq for event in events(Filters.parse(params))]


@pytest.fixture
def story(db: None) -> None:
    """Seven events, 1 to 7, one a day from 1 November 2026 at noon (UTC)."""
    V = Verb
    told = [
        {
            "verb": V.REQUEST_SUBMITTED,
            "by": "employee",
            "target": "REQ-1",
            "about": ["REQ-1", "deployment:demo"],
            "detail": {"reason": "Month-end close, „Größe“", "duration": "PT8H"},
        },
        {
            "verb": V.REQUEST_APPROVE_REFUSED,
            "by": "employee",
            "target": "REQ-1",
            "outcome": REFUSED,
            "detail": {"reason": "own_request"},
        },
        {"verb": V.REQUEST_APPROVED, "by": "lead", "target": "REQ-1", "about": ["REQ-1", "deployment:demo"]},
        {
            "verb": V.GRANT_ACTIVATED,
            "by": "gatehouse",
            "target": "GR-7",
            "about": ["GR-7", "REQ-1", "OP-9", "deployment:demo"],
            "detail": {"roles": ["Op", "Viewer"], "nested": {"deep": 'say "cheese"'}},
        },
        {
            "verb": V.REQUEST_SUBMITTED,
            "by": "colleague",
            "target": "REQ-10",
            "about": ["REQ-10", "deployment:legacy"],
            "detail": {"reason": "100% sure_thing"},
        },
        {"verb": V.SIGNED_IN, "by": "lead", "target": "lead"},
        {"verb": V.REQUEST_WITHDRAWN, "by": "admin", "on_behalf_of": Somebody("colleague"), "target": "REQ-10"},
    ]
    for day, event in enumerate(told, start=1):
        with time_machine.travel(datetime(2026, 11, day, 12, tzinfo=UTC), tick=False):
            happen(**event)


@pytest.mark.parametrize(
    "params, seqs",
    [
        ({}, [7, 6, 5, 4, 3, 2, 1]),
        ({"actor": "employee"}, [2, 1]),
        ({"actor": "colleague"}, [7, 5]),  # in whose name it was done, too
        ({"actor": "Employee"}, [2, 1]),
        ({"actor": "ｅｍｐｌｏｙｅｅ"}, [2, 1]),
        ({"actor": "employe"}, []),
        ({"target": "req-1"}, [4, 3, 2, 1]),
        ({"verb": "request.submitted"}, [5, 1]),
        ({"verb": "request.*"}, [7, 5, 3, 2, 1]),
        ({"verb": "session.*"}, [6]),
        ({"target": "REQ-1"}, [4, 3, 2, 1]),  # and what it led to; not REQ-10
        ({"target": "GR-7"}, [4]),
        ({"target": "OP-9"}, [4]),
        ({"about": "REQ-1"}, [4, 3, 2, 1]),
        ({"about": "req-1"}, [4, 3, 2, 1]),
        ({"about": "GR-7"}, [4]),
        ({"about": "OP-9"}, [4]),
        ({"about": "REQ-1", "actor": "lead"}, [3]),
        ({"about": "deployment:demo"}, [4, 3, 1]),
        ({"about": "Deployment:DEMO"}, [4, 3, 1]),
        ({"about": "demo"}, [4, 3, 1]),
        ({"about": "person:demo"}, []),
        ({"about": "person:lead"}, [6]),
        ({"about": "lead"}, [6]),
        ({"about": "person:Ｌead"}, [6]),
        ({"about": "REQ-99"}, []),
        ({"deployment": "legacy"}, [5]),
        ({"outcome": "refused"}, [2]),
        ({"since": "2026-11-06"}, [7, 6]),
        ({"until": "2026-11-02"}, [2, 1]),  # the complete day counts
        ({"since": "2026-11-02", "until": "2026-11-03"}, [3, 2]),
        ({"since": "2026-11-06T12:00:00Z"}, [7, 6]),
        ({"since": "2026-11-06T12:00:01Z"}, [7]),
        ({"until": "2026-11-02T12:00:00Z"}, [1]),  # a time is the first that no longer counts
        ({"since": "2026-11-06T21:00:00+09:00"}, [7, 6]),
        ({"since": "2026-11-06T21:00:00 09:00"}, [7, 6]),  # a plus sign nobody escaped
        ({"since": "2026-11-06 12:00"}, [7, 6]),
        ({"q": "close"}, [1]),
        ({"q": "CLOSE month-end"}, [1]),
        ({"q": "„Größe“"}, [1]),
        ({"q": "viewer"}, [4]),
        ({"q": "cheese"}, [4]),
        ({"q": '"cheese"'}, [4]),
        ({"q": "100%"}, [5]),
        ({"q": "sure_thing"}, [5]),
        ({"q": "surexthing"}, []),
        ({"q": "^"}, []),
        ({"q": "own_request"}, [2]),
        ({"q": "nested"}, []),  # the name of a field, not something that was said
        ({"q": "on_behalf_of"}, []),
        ({"q": "withdrawn"}, [7]),
        ({"q": "withdrew"}, [7]),  # as the page says it
        ({"q": "signed in"}, [6]),
        ({"q": "Sign-in"}, []),  # none was refused
        ({"q": "signing"}, [6]),  # the group it is offered in
        ({"q": "gro\u0308sse"}, [1]),
        ({"q": "GRÖSSE"}, [1]),
        ({"q": "ｍｏｎｔｈ"}, [1]),
        ({"actor": "employee", "outcome": "success", "verb": "request.*"}, [1]),
        ({"unknown": "x", "page": "2"}, [7, 6, 5, 4, 3, 2, 1]),
    ],
)
@pytest.mark.usefixtures("story")
def test_filters(params: dict[str, str], seqs: list[int]) -> None:
    assert found(**params) == seqs


@pytest.mark.usefixtures("story")
def test_dates_are_meant_in_the_readers_own_zone() -> None:
    with timezone.override(ZoneInfo("Asia/Seoul")):
        with recording() as trail, time_machine.travel(datetime(2026, 11, 9, 23, tzinfo=UTC), tick=False):
            trail.add(Verb.SIGNED_OUT, by=None, target="late in London, early on the tenth in Seoul")
        assert found(since="2026-11-10") == [8]
        assert found(since="2026-11-09", until="2026-11-09") == []


@pytest.mark.parametrize(
    "params, words",
    [
        ({"verb": "request"}, "There is no event “request”"),
        ({"verb": "request.vanished"}, "There is no event “request.vanished”"),
        ({"verb": "nothing.*"}, "There is no event “nothing.*”"),
        ({"verb": "*"}, "There is no event “*”"),
        ({"outcome": "great"}, "“great” is not an outcome. Use one of success, refused, failed."),
        ({"since": "yesterday"}, "“yesterday” is not a date or time."),
        ({"since": "2026-02-30"}, "“2026-02-30” is not a date or time."),
        ({"since": "2026-02-30T09:00:00Z"}, "is not a date or time."),
        ({"since": "2026-11-03", "until": "2026-11-01"}, "The end is before the start."),
        ({"actor": "a\x00b"}, "The text holds a character that cannot be searched for."),
        ({"q": "a b c d e f g h i j k l m n o p q r s t u"}, "The text has 21 words; at most 20"),
        ({"q": "x" * 421}, "The text has 421 characters; at most 420 can be searched for."),
    ],
)
def test_wrong_filters_are_said_in_words(params: dict[str, str], words: str) -> None:
    with pytest.raises(Invalid) as caught:
        Filters.parse(params)
    (message,) = caught.value.fields.values()
    assert words in message
    assert set(caught.value.fields) <= set(params)


def test_every_wrong_filter_is_said_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        Filters.parse({"verb": "x", "outcome": "x", "since": "x", "until": "x"})
    assert set(caught.value.fields) == {"verb", "outcome", "since", "until"}


def test_filters_as_the_parameters_they_came_from() -> None:
    given = {"actor": "lead", "verb": "request.*", "since": "2026-11-01T00:00:00+00:00"}
    assert Filters.parse(given).as_params() == given
    assert Filters.parse(Filters.parse(given).as_params()) == Filters.parse(given)
    assert Filters.parse({}).as_params() == {}


@pytest.mark.usefixtures("story")
def test_pages() -> None:
    seen, before = [], None
    while True:
        rows, before = queries.page(Filters(), before=before, size=3)
        seen.append([row.seq for row in rows])
        if before is None:
            break
        happen("meanwhile")  # what is added on top moves nothing
    assert seen == [[7, 6, 5], [4, 3, 2], [1]]


@pytest.mark.usefixtures("story")
def test_a_full_last_page_has_no_next_page() -> None:
    rows, following = queries.page(Filters.parse({"target": "REQ-1"}), size=4)
    assert ([row.seq for row in rows], following) == ([4, 3, 2, 1], None)


@pytest.mark.usefixtures("story")
def test_one_event() -> None:
    event = queries.event(4)
    assert event is not None
    assert event.detail["roles"] == ["Op", "Viewer"]
    assert queries.event(99) is None


def test_escaped_parameters_of_old_events_are_found() -> None:
    kept = r'{"\ubd80\uc0b0": "\ud83d\udd12 \u0000 \ud800"}'
    assert search_text({"detail": {"conf": kept}, "seq": 1}) == r'{"부산": "🔒 \u0000 \ud800"}'
