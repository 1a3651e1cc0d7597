"""Requests, decisions and grants are compared with the events that made them (`audit verify`)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from portal.access import actions, grants
from portal.access.ledgers import GRANTS
from portal.access.models import AccessRequest, Decision, Grant
from portal.audit import compare
from portal.audit.models import AuditEvent, AuditHead
from portal.audit.record import _append, recording
from portal.audit.verbs import Verb
from portal.audit.verify import verify, verify_and_record
from portal.catalogue.models import Dag, Entitlement
from portal.dags.actions import trigger
from portal.dags.models import Run
from tests import factories, trail

pytestmark = pytest.mark.django_db


def problems() -> list[str]:
    return verify().problems


@pytest.fixture
def active(airflow):
    return factories.grant_at_status("active", entitlement="demo/role/Op")


@pytest.mark.parametrize("status", ["pending", "approved", "denied", "withdrawn", "lapsed"])
def test_every_request_is_as_its_events_made_it(catalogue, status):
    factories.request_at_status(status, entitlement="demo/role/Op", reason="한국어 e\u0301 for the month-end close")
    found = verify()
    assert (found.problems, found.rows) == ([], 1 + Grant.objects.count())


@pytest.mark.parametrize("status", ["scheduled", "applying", "active", "ending", "ended"])
def test_every_grant_is_as_its_events_made_it(airflow, status):
    factories.grant_at_status(status, entitlement="demo/role/Op")
    assert problems() == []


def test_a_shortened_approval_and_a_decomposed_comment_are_as_they_were_made(cast, airflow):
    asked = factories.request_at_status("pending", entitlement="demo/role/Op")
    actions.approve(request_id=asked.pk, by=cast["lead"], comment=" nur e\u0301\r\nkurz ", duration=timedelta(hours=2))
    assert problems() == []
    actions.approve(request_id=asked.pk, by=cast["security"])
    factories.work_off()
    assert Grant.objects.get().duration == timedelta(hours=2)
    grants.hand_back(grant_id=Grant.objects.get().pk, by=cast["employee"])
    assert problems() == []


FORGED = {
    "a grant that never ends": (
        lambda grant: Grant.objects.update(ends_at=datetime(2099, 1, 1, tzinfo=UTC)), "ends_at is 2099-01-01T00:00",
    ),
    "a longer grant": (lambda grant: Grant.objects.update(duration=timedelta(days=9)), "its duration is P9D"),
    "another role": (lambda grant: Grant.objects.update(role="Admin"), "its role is Admin"),
    "another DAG": (lambda grant: Grant.objects.update(dag_id="payroll"), "its dag_id is payroll"),
    "another level": (lambda grant: Grant.objects.update(level="operate"), "its level is operate"),
    "a grant of somebody else": (
        lambda grant: Grant.objects.update(beneficiary=factories.person("colleague")), "its beneficiary is colleague",
    ),
    "a grant that is alive again": (lambda grant: Grant.objects.update(status="applying"), "its status is applying"),
    "another approver": (
        lambda grant: Decision.objects.filter(by__username="lead").update(by=factories.person("lead2")),
        "its decisions is lead2 approve step 1",
    ),
    "another comment": (lambda grant: Decision.objects.update(comment="I never saw it"), "I never saw it"),
    "another reason": (lambda grant: AccessRequest.objects.update(reason="because"), "its reason is because"),
    "another requester": (
        lambda grant: AccessRequest.objects.update(requester=factories.person("admin")), "its requester is admin",
    ),
    "a decision that is gone": (
        lambda grant: Decision.objects.filter(by__username="security").delete(), "its decisions is lead approve step 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGED)
def test_a_row_changed_behind_the_portals_back_is_found(active, what):
    forge, words = FORGED[what]
    assert problems() == []
    forge(active)
    found = problems()
    assert any(words in problem for problem in found), found
    assert "but event" in found[0]


@pytest.mark.parametrize("started", [False, True])
def test_what_a_scheduled_grant_gives_is_compared_before_and_after_its_start(airflow, started):
    grant = factories.grant_at_status("scheduled", entitlement="demo/role/Op")
    Entitlement.objects.filter(pk=grant.entitlement_id).update(role="Viewer")  # offered anew meanwhile
    if started:
        with time_machine.travel(grant.starts_at + timedelta(minutes=1)):
            assert grants.start_due() == 1
    assert (Grant.objects.get().role, problems()) == ("Viewer" if started else "Op", [])
    Grant.objects.update(role="Admin")
    assert f"its role is Admin, but event {AuditHead.objects.get().seq if started else ''}" in problems()[0]


def test_a_grant_that_no_approval_made_is_found(cast, active):
    asked = factories.request_at_status("pending", by="colleague", entitlement="demo/role/Op")
    actions.approve(request_id=asked.pk, by=cast["lead"])  # the first of two steps
    assert problems() == []
    Grant.objects.create(
        request=asked, entitlement=asked.entitlement, beneficiary=asked.beneficiary, deployment=active.deployment,
        role=active.role, status="applying", duration=asked.duration,
    )  # fmt: skip
    assert problems() == [
        f"No event created GR-{active.pk + 1}: it was inserted directly into the database, or its events are missing."
    ]


def test_a_request_without_event_and_an_event_without_request_are_found(active):
    made = AccessRequest.objects.get()
    made.pk, made.key = None, None
    made.save(force_insert=True)
    assert [problem for problem in problems() if made.ref in problem] == [
        f"No event created {made.ref}: it was inserted directly into the database, or its events are missing."
    ]
    AccessRequest.objects.filter(pk=made.pk).delete()
    with recording() as said:
        said.add(Verb.REQUEST_APPROVED, by=factories.person("lead"), target="REQ-99", request="REQ-99")
    assert problems() == [f"Event {AuditHead.objects.get().seq} names REQ-99, which does not exist."]


def test_an_event_forged_with_the_guards_on_is_found(cast, active):
    asked = factories.request_at_status("pending", by="colleague", entitlement="demo/role/Op")
    with recording() as said:  # as somebody with the portal's own rights could write it, chain and head included
        detail = {"entitlement": "demo/role/Op", "stage": 1, "comment": "", "duration": "PT8H", "grant": None}
        said.add(Verb.REQUEST_APPROVED, by=cast["lead"], target=asked.ref, request=asked.ref, detail=detail)
    seq = AuditHead.objects.get().seq
    assert problems() == [
        f"{asked.ref} was changed: its decisions is empty, but event {seq} set lead approve step 1 for PT8H: ."
    ]


@pytest.mark.parametrize("verb", [Verb.REQUEST_APPROVED, Verb.RUN_REQUESTED])
@pytest.mark.parametrize("strange", trail.STRANGE)
def test_an_event_that_cannot_be_read_is_told_in_words(cast, active, verb, strange):
    trigger(by=cast["colleague"], dag=Dag.objects.get(dag_id="sales_report"), conf={"region": "KR"})
    assert problems() == []
    seq = AuditEvent.objects.filter(verb=verb).order_by("seq")[0].seq
    trail.forge(seq, **trail.STRANGE[strange])
    found = verify_and_record(by=None)
    assert any(f"vent {seq} " in words for words in found.problems), found.problems
    recorded = AuditEvent.objects.order_by("-seq")[0]
    assert (recorded.verb, recorded.detail["problems"]) == (Verb.AUDIT_VERIFY_FAILED, found.problems)


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ({"entitlement": "demo/role/Op", "stage": 1}, "about {ref} cannot be read: Gatehouse did not write it."),
        ({"duration": "PT8H", "stage": [[1]], "comment": {}}, "its decisions is empty"),
    ],
)
def test_a_well_chained_event_that_says_too_little_or_nonsense_is_told(cast, active, detail, words):
    asked = factories.request_at_status("pending", by="colleague", entitlement="demo/role/Op")
    with recording() as said:
        said.add(Verb.REQUEST_APPROVED, by=cast["lead"], target=asked.ref, request=asked.ref, detail=detail)
    assert any(words.format(ref=asked.ref) in problem for problem in problems()), problems()


@pytest.mark.parametrize("number", ["9" * 19, "007", "x", "٣", "0", ""])
def test_an_event_about_a_reference_that_cannot_exist_is_told(cast, active, number):
    with recording() as said:
        said.add(Verb.REQUEST_WITHDRAWN, by=cast["lead"], target=f"REQ-{number}", request=f"REQ-{number}")
    seq = AuditHead.objects.get().seq
    assert problems() == [f"Event {seq} refers to REQ-{number}, a reference that cannot exist."]


UNREADABLE_MOMENT = {"sqlite": "2026-99-99 00:00:00", "postgresql": "infinity"}


def test_a_row_that_cannot_be_read_is_told(active):
    assert problems() == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE access_grant SET ends_at = %s", [UNREADABLE_MOMENT[connection.vendor]])
    found = verify_and_record(by=None)
    assert found.problems == ["One of the grants, or an event about one, cannot be read; not all grants are compared."]
    assert AuditEvent.objects.order_by("-seq")[0].verb == Verb.AUDIT_VERIFY_FAILED


def test_an_event_whose_columns_cannot_be_read_is_told(active):
    seq = AuditEvent.objects.order_by("seq")[2].seq
    with trail.triggers_off(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE audit_auditevent SET at = %s WHERE seq = %s", [UNREADABLE_MOMENT[connection.vendor], seq]
        )
    found = verify_and_record(by=None)
    assert "An event after event 0 cannot be read; those after it are not checked." in found.problems


def test_trails_of_before_which_do_not_name_the_grant_verify(active):
    """Events are never changed; what they do not say is not compared."""
    with trail.triggers_off():
        entries = []
        for event in AuditEvent.objects.order_by("seq"):
            entry = json.loads(event.payload)
            for name in ("grant", "beneficiary", "verified_at", "starts_at", "lapses_at", "role", "dag_id", "level"):
                if name != "beneficiary" or event.verb == Verb.REQUEST_APPROVED:
                    entry["detail"].pop(name, None)
            if event.verb == Verb.REQUEST_APPROVED:
                entry["grant"] = ""
            entries.append({name: value for name, value in entry.items() if name not in ("seq", "at")})
        AuditEvent.objects.all().delete()
        AuditHead.objects.update(seq=0, hash="0" * 64)
        _append(entries)
    assert problems() == []


def test_a_row_that_changes_meanwhile_is_looked_at_again(active, monkeypatch):
    """The row was read before its grant ended, its events after: that is no forgery."""
    rows, judge = GRANTS.rows, compare._judge

    def late(ledger, row, events):
        if ledger is GRANTS and row.status == "active":
            grants.end(grant_id=row.pk, reason=Grant.EndReason.EXPIRED)
            events = compare._events(ledger, [row])[row.pk]
        return judge(ledger, row, events)

    monkeypatch.setattr(compare, "_judge", late)
    assert problems() == []
    assert rows().get().status == "ending"


@pytest.mark.parametrize("ledger", compare.LEDGERS, ids=lambda ledger: ledger.model.__name__)
def test_every_verb_and_every_column_is_known(ledger):
    """A new event or column belongs into its room's ledgers.py: into the table, or with why it is not compared."""
    noun = {AccessRequest: "request.", Grant: "grant.", Run: "run."}[ledger.model]
    changing = {verb for verb in Verb if verb.startswith(noun) and not verb.endswith("_refused")}
    assert changing - ledger.makes.keys() == set(), "say in the ledger's `makes` what the event makes of a row"
    columns = {field.name for field in ledger.model._meta.concrete_fields}
    assert columns - ledger.shown.keys() - ledger.not_compared.keys() == set(), "say in `shown` or `not_compared`"
    assert not ledger.shown.keys() & ledger.not_compared.keys()


def test_runs_are_compared_with_what_was_asked_for(cast, airflow):
    dag = Dag.objects.select_related("deployment").get(dag_id="sales_report")
    run = trigger(by=cast["colleague"], dag=dag, conf={"region": "KR", "메모": 1e22}, note="for the board")
    factories.work_off()
    assert problems() == []
    Run.objects.update(conf={"region": "EU"})
    assert "its conf is {'region': 'EU'}, but event" in problems()[0]
    Run.objects.update(conf=run.conf, requested_by=cast["admin"])
    assert "its requested_by is admin" in problems()[0]


def test_comparing_reads_in_batches(airflow, django_assert_max_num_queries, monkeypatch):
    for name in ("employee", "colleague", "lead"):
        factories.grant_at_status("active", by=name, entitlement="demo/role/Viewer")
    with django_assert_max_num_queries(18):
        assert verify().ok
    monkeypatch.setattr(compare, "BATCH", 1)
    assert verify().ok
