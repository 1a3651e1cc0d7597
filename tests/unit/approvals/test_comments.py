"""Comments on requests: who writes, who reads, and that each is in the trail."""

from __future__ import annotations

import pytest
from django.db import Error as DatabaseError

from portal.approvals import queries
from portal.approvals.comments import comment, readable_by
from portal.approvals.models import Comment
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.audit.verify import verify
from portal.core.errors import Invalid, Refused
from tests import factories

pytestmark = pytest.mark.usefixtures("catalogue")
APPROVERS = Comment.Audience.APPROVERS


@pytest.fixture
def asked(cast):
    """By the employee, for the colleague; decided by the data leads, then by security."""
    return factories.request_at_status("pending", entitlement="demo/role/Op", beneficiary="colleague")


def read(who, asked):
    return [one.text for one in readable_by(who, queries.request_for(who, asked.pk))]


def last_event() -> AuditEvent:
    return AuditEvent.objects.latest("seq")


@pytest.mark.parametrize("who", ["employee", "colleague", "lead", "security"])
def test_who_is_involved_comments_and_everybody_reads(asked, cast, who):
    comment(request_id=asked.pk, by=cast[who], text=" Which report?\r\n")
    for reader in ("employee", "colleague", "lead2", "security", "auditor", "admin"):
        assert read(cast[reader], asked) == ["Which report?"]
    event = last_event()
    assert (event.verb, event.actor, event.target) == (Verb.REQUEST_COMMENTED, who, asked.ref)
    assert (event.detail["comment"], event.detail["for"]) == ("Which report?", "all")
    assert verify().problems == []


def test_what_is_for_the_approvers_is_not_for_the_requester_and_the_beneficiary(asked, cast):
    comment(request_id=asked.pk, by=cast["lead"], text="Do you know them?", audience=APPROVERS)
    for reader in ("lead2", "security", "auditor", "admin"):
        assert read(cast[reader], asked) == ["Do you know them?"]
    for reader in ("employee", "colleague"):
        assert read(cast[reader], asked) == []


@pytest.mark.parametrize("name", ["lead", "auditor"])
def test_not_even_where_they_are_an_approver_or_an_auditor(cast, name):
    cast[name].groups.add(*cast["employee"].groups.all())
    mine = factories.request_at_status("pending", by=name)
    comment(request_id=mine.pk, by=cast["lead2"], text="Hm.", audience=APPROVERS)
    assert read(cast[name], mine) == []
    with pytest.raises(Refused) as refusal:
        comment(request_id=mine.pk, by=cast[name], text="Hm?", audience=APPROVERS)
    assert refusal.value.reason == "not_an_approver"


@pytest.mark.parametrize(
    ("who", "audience", "reason"),
    [
        ("auditor", "all", "not_involved"),
        ("admin", "all", "not_involved"),
        ("stranger", "all", "not_involved"),
        ("admin", "approvers", "not_involved"),
        ("employee", "approvers", "not_an_approver"),
        ("colleague", "approvers", "not_an_approver"),
    ],
)
def test_others_do_not(asked, cast, who, audience, reason):
    with pytest.raises(Refused) as refusal:
        comment(request_id=asked.pk, by=cast[who], text="Me too.", audience=audience)
    assert (refusal.value.reason, last_event().verb) == (reason, Verb.REQUEST_COMMENT_REFUSED)
    assert not Comment.objects.exists()


@pytest.mark.parametrize(
    ("given", "field"),
    [({"text": " "}, "text"), ({"text": "x" * 2001}, "text"), ({"text": "ok", "audience": "nobody"}, "for")],
)
def test_what_cannot_be_a_comment(asked, cast, given, field):
    with pytest.raises(Invalid) as wrong:
        comment(request_id=asked.pk, by=cast["lead"], **given)
    assert list(wrong.value.fields) == [field]


def test_the_same_form_sent_twice_is_one_comment(asked, cast):
    first, again, changed = (
        comment(request_id=asked.pk, by=cast["lead"], text=text, key="k") for text in ("One.", "One.", "Two.")
    )
    assert (first, Comment.objects.count()) == (again, 2)
    assert changed != first
    assert AuditEvent.objects.filter(verb=Verb.REQUEST_COMMENTED).count() == 2


def test_a_settled_request_can_be_commented(asked, cast):
    factories.approve_fully(asked)
    comment(request_id=asked.pk, by=cast["employee"], text="Thank you.")
    assert verify().problems == []


def test_no_event_no_comment(asked, cast, broken_trail):
    with pytest.raises(DatabaseError):
        comment(request_id=asked.pk, by=cast["lead"], text="Which report?")
    assert not Comment.objects.exists()


def test_a_changed_comment_is_found(asked, cast):
    comment(request_id=asked.pk, by=cast["lead"], text="Which report?")
    Comment.objects.update(text="Fine with me.")
    assert any("its comments is lead to all: Fine with me." in problem for problem in verify().problems)
