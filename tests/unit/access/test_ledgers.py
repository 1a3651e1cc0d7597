"""Requests, decisions and grants are compared with the events that made them (`audit verify`)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import IntegrityError, connection
from django.utils import timezone

from accounts.operator import Operator
from portal.access import grants, leaving
from portal.access.actions import submit
from portal.access.kinds import ACCESS
from portal.access.ledgers import GRANTS
from portal.access.models import AccessRequest, Grant
from portal.access.states import GRANT
from portal.approvals import actions
from portal.approvals.ledgers import REQUESTS
from portal.approvals.models import Decision, Request, Waiting
from portal.approvals.states import REQUEST
from portal.audit import compare
from portal.audit.models import AuditEvent, AuditHead, AuditReference
from portal.audit.record import _append, recording
from portal.audit.verbs import Verb
from portal.audit.verify import verify, verify_and_record
from portal.catalogue import queries as offered
from portal.catalogue.models import Dag, Entitlement
from portal.dags.actions import trigger
from portal.dags.models import Permit, Run
from tests import factories, trail

pytestmark = pytest.mark.django_db
NEW = ("seq", "at", "v", "salt")  # what an event gets when it is appended


def problems() -> list[str]:
    return verify().problems


@pytest.fixture
def active(airflow):
    return factories.grant_at_status("active", entitlement="demo/role/Op")


@pytest.mark.parametrize("status", ["pending", "approved", "denied", "returned", "withdrawn", "lapsed"])
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
    "another request": (
        lambda grant: Grant.objects.update(
            request=factories.request_at_status("pending", by="colleague", entitlement="demo/role/Op")
        ),
        "its request is REQ-",
    ),
    "a grant that was never sent": (lambda grant: Grant.objects.update(sent_at=None), "its sent_at is empty"),
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
    "a grant of another version of the policy": (lambda grant: Grant.objects.update(policy_version=7), "its rules is"),
    "a grant that was decided, called at once": (lambda grant: Grant.objects.update(at_once=True), "its rules is"),
    "a settled request in a queue": (
        lambda grant: Waiting.objects.create(
            request=grant.request, stage=grant.request.stages.first(), principal="user:colleague", risk="high",
            created_at=grant.created_at, lapses_at=FOREVER,
        ),
        "its queue is",
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


def test_a_request_that_was_taken_out_of_a_queue_is_found(catalogue):
    factories.request_at_status("pending", entitlement="demo/role/Op")
    assert problems() == []
    Waiting.objects.all().delete()
    assert any("its queue is [] instead of [(1, 'group:data-leads')]" in problem for problem in problems())


def test_a_grant_that_no_approval_made_is_found(cast, active):
    asked = factories.request_at_status("pending", by="colleague", entitlement="demo/role/Op")
    actions.approve(request_id=asked.pk, by=cast["lead"])  # the first of two steps
    assert problems() == []
    Grant.objects.create(
        request=asked, entitlement=asked.entitlement, beneficiary=asked.beneficiary, deployment=active.deployment,
        role=active.role, status="applying", duration=asked.duration, policy="one-lead", policy_version=1,
    )  # fmt: skip
    assert problems() == [
        f"No event created GR-{active.pk + 1}: it was inserted directly into the database, or its events are missing."
    ]


def test_a_request_without_event_and_an_event_without_request_are_found(active):
    made = AccessRequest.objects.get()
    made.pk = made.id = None
    made.save(force_insert=True)
    assert [problem for problem in problems() if made.ref in problem] == [
        f"No event created {made.ref}: it was inserted directly into the database, or its events are missing."
    ]
    AccessRequest.objects.filter(pk=made.pk).delete()
    with recording() as events:
        events.add(Verb.REQUEST_APPROVED, by=factories.person("lead"), target="REQ-99", about=["REQ-99"])
    assert problems() == [f"Event {AuditHead.objects.get().seq} names REQ-99, which does not exist."]


def test_an_event_forged_with_the_guards_on_is_found(cast, active):
    asked = factories.request_at_status("pending", by="colleague", entitlement="demo/role/Op")
    with recording() as events:  # as somebody with the portal's own rights could write it, chain and head included
        detail = {"entitlement": "demo/role/Op", "stage": 1, "comment": "", "duration": "PT8H", "grant": None}
        events.add(Verb.REQUEST_APPROVED, by=cast["lead"], target=asked.ref, about=[asked.ref], detail=detail)
    seq = AuditHead.objects.get().seq
    assert problems() == [
        f"{asked.ref} was changed: its decisions is empty, but event {seq} set lead approve step 1 for PT8H: ."
    ]


@pytest.mark.any_database
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


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ({"entitlement": "demo/role/Op", "stage": 1}, "about {ref} cannot be read: Gatehouse did not write it."),
        ({"duration": "PT8H", "stage": [[1]], "comment": {}}, "about {ref} cannot come here: it names step [[1]]"),
    ],
)
def test_a_well_chained_event_that_says_too_little_or_nonsense_is_told(cast, active, detail, words):
    asked = factories.request_at_status("pending", by="colleague", entitlement="demo/role/Op")
    with recording() as events:
        events.add(Verb.REQUEST_APPROVED, by=cast["lead"], target=asked.ref, about=[asked.ref], detail=detail)
    assert any(words.format(ref=asked.ref) in problem for problem in problems()), problems()


@pytest.mark.any_database
@pytest.mark.parametrize("number", ["9" * 20, "9" * 19, "007", "x", "٣", "0", "", "-1"])
def test_an_event_about_a_reference_that_cannot_exist_is_told(cast, active, number):
    with recording() as events:
        events.add(Verb.REQUEST_WITHDRAWN, by=cast["lead"], target=f"REQ-{number}", about=[f"REQ-{number}"])
    seq = AuditHead.objects.get().seq
    assert problems() == [f"Event {seq} refers to REQ-{number}, a reference that cannot exist."]


def tell(verb, about, **detail):
    """Append an event about a grant with the guards on: somebody with the portal's own rights could write it."""
    with recording() as events:
        events.add(
            verb, by=None, target=about.ref,
            about=[about.ref, about.request.ref, f"deployment:{about.deployment.name}"],
            detail={"entitlement": about.entitlement.key, "beneficiary": about.beneficiary.username, **detail},
        )  # fmt: skip
    return AuditHead.objects.get().seq


FOREVER = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("detail", [{}, {"ends_at": FOREVER.isoformat(), "verified_at": FOREVER.isoformat()}])
def test_a_second_activation_does_not_extend_a_grant(active, detail):
    seq = tell(Verb.GRANT_ACTIVATED, active, **detail)
    Grant.objects.update(ends_at=FOREVER)
    assert problems() == [f"Event {seq} (grant.verified) about {active.ref} cannot come here: it was active by then."]


def test_an_activation_for_longer_than_approved_is_found(airflow):
    grant = factories.grant_at_status("applying", entitlement="demo/role/Op")
    now = datetime(2026, 11, 30, tzinfo=UTC)
    seq = tell(Verb.GRANT_ACTIVATED, grant, verified_at=now.isoformat(), ends_at=FOREVER.isoformat())
    Grant.objects.update(status="active", verified_at=now, ends_at=FOREVER)
    assert f"Event {seq} (grant.verified) about {grant.ref} cannot come here: it lets PT8H end" in problems()[0]


@pytest.mark.parametrize("verified", [None, FOREVER - timedelta(hours=8)])
def test_a_first_activation_from_the_future_is_found(airflow, verified):
    grant = factories.grant_at_status("applying", entitlement="demo/role/Op")
    said = {"verified_at": verified.isoformat()} if verified else {}
    seq = tell(Verb.GRANT_ACTIVATED, grant, ends_at=FOREVER.isoformat(), **said)
    Grant.objects.update(status="active", verified_at=verified or timezone.now(), ends_at=FOREVER)
    assert f"Event {seq} (grant.verified) about {grant.ref} cannot come here: it " in problems()[0]


@pytest.mark.parametrize("what", ["demo/role/User", "demo/role/Viewer"])
def test_a_start_in_the_zone_of_the_person_who_asks_is_the_same_moment(cast, catalogue, what):
    start = (timezone.now() + timedelta(hours=9)).astimezone(ZoneInfo("Asia/Seoul"))
    request = submit(
        by=cast["employee"],
        entitlement=offered.entitlement(what),
        duration=timedelta(hours=1),
        reason="month-end close",
        starts_at=start,
    )
    if request.status == "pending":
        actions.approve(request_id=request.pk, by=cast["lead"])
    assert problems() == []
    assert AuditEvent.objects.filter(verb=Verb.REQUEST_SUBMITTED).get().detail["starts_at"].endswith("+00:00")


def test_a_start_that_an_earlier_release_wrote_in_another_zone_is_the_same_moment(cast, catalogue):
    factories.request_at_status("approved", starts_in=timedelta(hours=9))
    with trail.triggers_off():
        entries = []
        for event in AuditEvent.objects.order_by("seq"):
            entry = {name: value for name, value in json.loads(event.payload).items() if name not in NEW}
            if start := entry["detail"].get("starts_at"):
                entry["detail"]["starts_at"] = (
                    datetime.fromisoformat(start).astimezone(ZoneInfo("Asia/Seoul")).isoformat()
                )
            entries.append(entry)
        AuditEvent.objects.all().delete()
        AuditReference.objects.all().delete()
        AuditHead.objects.update(seq=0, chain="0" * 64)
        _append(entries)
    assert problems() == []


def test_an_end_by_an_account_of_the_operating_system_is_by_no_person(active):
    leaving.deactivate(by=Operator("root"), username=active.beneficiary.username)
    assert AuditEvent.objects.get(verb=Verb.GRANT_LEAVER).actor == "os:root"
    assert problems() == []


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("status", "verb", "detail"),
    [
        ("active", Verb.GRANT_SCHEDULED, {"starts_at": FOREVER.isoformat()}),
        ("applying", Verb.GRANT_SCHEDULED, {"starts_at": FOREVER.isoformat()}),
        ("active", Verb.GRANT_STARTED, {"role": "Admin"}),
        ("active", Verb.GRANT_FAILED, {"why": "x"}),
        ("active", Verb.GRANT_CAME_BACK, {}),
        ("active", Verb.GRANT_END_FAILED, {}),
        ("applying", Verb.GRANT_RETRIED, {}),
        ("ended", Verb.GRANT_RETRIED, {}),
        ("ended", Verb.GRANT_ENDED, {}),
        ("ended", Verb.GRANT_REVOKED, {}),
        ("active", Verb.REQUEST_APPROVED, {"comment": "", "stage": 1, "duration": "PT8H", "grant": None}),
        ("active", Verb.REQUEST_STAGE_DONE, {"stage": 1, "next_stage": 2}),
        ("active", Verb.REQUEST_WITHDRAWN, {}),
    ],
)
def test_an_event_that_cannot_come_next_is_told(airflow, status, verb, detail):
    grant = factories.grant_at_status(status, entitlement="demo/role/Op")
    assert problems() == []
    seq = tell(verb, grant, **detail)
    found = problems()
    assert any(f"Event {seq} ({verb}) about" in words and "cannot come here: " in words for words in found), found


def test_an_event_that_lacks_what_its_kind_says_is_told(airflow):
    grant = factories.grant_at_status("applying", entitlement="demo/role/Op")
    seq = tell(Verb.GRANT_ACTIVATED, grant)
    assert f"Event {seq} (grant.verified) about {grant.ref} cannot be read: Gatehouse did not write it." in problems()


def test_an_event_that_does_not_say_a_column_leaves_what_was_said_of_it(airflow):
    grant = factories.grant_at_status("scheduled", entitlement="demo/role/Op")
    tell(Verb.GRANT_STARTED, grant)  # as of a release that did not say the role
    Grant.objects.update(status="applying")
    assert problems() == []
    Grant.objects.update(role="Admin")
    assert f"{grant.ref} was changed: its role is Admin" in problems()[0]


def test_an_event_that_names_no_row_is_told(active):
    with recording() as events:
        events.add(Verb.GRANT_REVOKED, by=None, target="some grant")
    seq = AuditHead.objects.get().seq
    assert problems() == [f"Event {seq} (grant.revoked) names no GR reference, which this kind of event always has."]


def test_a_second_beginning_of_a_run_is_told(cast, airflow):
    run = trigger(by=cast["colleague"], dag=Dag.objects.get(dag_id="sales_report"), conf={"region": "KR"})
    said = AuditEvent.objects.get(verb=Verb.RUN_REQUESTED)
    with recording() as trail:
        trail.add(
            Verb.RUN_REQUESTED, by=cast["admin"], target=run.ref,
            about=[run.ref, f"deployment:{said.deployment}"], detail=said.detail,
        )  # fmt: skip
    Run.objects.update(requested_by=cast["admin"])
    seq = AuditHead.objects.get().seq
    assert problems() == [f"Event {seq} (run.requested) about {run.ref} cannot come here: it was requested by then."]


def test_a_step_that_was_skipped_is_found(cast, airflow):
    asked = factories.request_at_status("pending", entitlement="demo/role/Op")
    asked.stages.filter(number=1).update(status="done")
    asked.stages.filter(number=2).update(status="open")
    assert f"{asked.ref} was changed: its open_step is 2, but event" in problems()[0]


@pytest.mark.parametrize(
    ("ledger", "machine"), [(REQUESTS, REQUEST), (GRANTS, GRANT)], ids=lambda one: one.model.__name__
)
def test_every_status_has_the_events_that_may_come_in_it(ledger, machine):
    assert ledger.next.keys() - {""} == machine.moves.keys()
    assert frozenset().union(*ledger.next.values()) == ledger.makes.keys()


UNREADABLE_MOMENT = {"sqlite": "2026-99-99 00:00:00", "postgresql": "infinity"}


def test_a_row_that_cannot_be_read_is_told_and_the_others_are_compared(cast, active):
    other = factories.grant_at_status("active", by="colleague", entitlement="demo/role/Viewer")
    assert problems() == []
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE access_grant SET ends_at = %s WHERE id = %s", [UNREADABLE_MOMENT[connection.vendor], active.pk]
        )
    Grant.objects.filter(pk=other.pk).update(role="Admin")
    found = verify_and_record(by=None)
    assert found.problems[0] == f"{active.ref} was changed: a value of it cannot be read."
    assert f"{other.ref} was changed: its role is Admin" in found.problems[1]
    assert AuditEvent.objects.order_by("-seq")[0].verb == Verb.AUDIT_VERIFY_FAILED


DANGLING = [
    ("access_grant", "request_id", "GR-{grant} was changed: its request is REQ-999999, but event"),
    ("access_grant", "entitlement_id", "GR-{grant} was changed: its entitlement is 999999, which does not exist."),
    ("access_grant", "ended_by_id", "GR-{grant} was changed: its ended_by cannot be read."),
    ("approvals_request", "requester_id", "REQ-{request} was changed: its requester is 999999, which does not"),
    ("approvals_decision", "by_id", "REQ-{request} was changed: its decisions cannot be read."),
    ("approvals_decision", "stage_id", "REQ-{request} was changed: its decisions cannot be read."),
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("table", "column", "words"), DANGLING)
def test_a_row_whose_foreign_key_leads_nowhere_is_told(active, table, column, words):
    """PostgreSQL refuses such a row, SQLite takes it from a connection that does not ask it to check."""
    rows = verify().rows
    change = f"UPDATE {table} SET {column} = 999999 WHERE id = (SELECT max(id) FROM {table})"
    if connection.vendor == "postgresql":
        with pytest.raises(IntegrityError), connection.cursor() as cursor:
            cursor.execute(change)
        return
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        cursor.execute(change)
    found = verify()
    told = words.format(grant=active.pk, request=active.request_id)
    assert any(problem.startswith(told) for problem in found.problems), found.problems
    assert found.rows == rows
    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE {column} = 999999")


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
                entry["about"] = [one for one in entry["about"] if not one.startswith("GR-")]
            entries.append({name: value for name, value in entry.items() if name not in NEW})
        AuditEvent.objects.all().delete()
        AuditReference.objects.all().delete()
        AuditHead.objects.update(seq=0, chain="0" * 64)
        _append(entries)
    assert problems() == []


def test_a_row_that_changes_meanwhile_is_looked_at_again(active, monkeypatch):
    """The row was read before its grant ended, its events after: that is no forgery."""
    rows, judge = GRANTS.rows, compare._judge

    def late(ledger, row, events):
        if ledger is GRANTS and row.status == "active":
            grants.end(row.pk, reason=Grant.EndReason.EXPIRED)
            events = compare._events(ledger, [row])[row.pk]
        return judge(ledger, row, events)

    monkeypatch.setattr(compare, "_judge", late)
    assert problems() == []
    assert rows().get().status == "ending"


@pytest.mark.parametrize("ledger", compare.LEDGERS, ids=lambda ledger: ledger.model.__name__)
def test_every_verb_and_every_column_is_known(ledger):
    """A new event or column belongs into its room's ledgers.py: into the table, or with why it is not compared."""
    noun = {Request: "request.", Grant: "grant.", Run: "run.", Permit: "permit."}[ledger.model]
    changing = {verb for verb in Verb if verb.startswith(noun) and not verb.endswith("_refused")}
    assert changing - ledger.makes.keys() == set(), "say in the ledger's `makes` what the event makes of a row"
    columns = {field.name for field in ledger.model._meta.concrete_fields}
    assert columns - ledger.shown.keys() - ledger.not_compared.keys() == set(), "say in `shown` or `not_compared`"
    assert not ledger.shown.keys() & ledger.not_compared.keys()


def test_every_column_of_the_terms_of_a_request_for_access_is_known():
    columns = {field.name for field in AccessRequest._meta.local_concrete_fields}
    assert columns - ACCESS.terms.keys() == {"request_ptr"}


def test_runs_are_compared_with_what_was_asked_for(cast, airflow):
    Dag.objects.update(undeclared=True)
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
    with django_assert_max_num_queries(26):  # 25 on SQLite, whose guards are read by one query less
        assert verify().ok
    monkeypatch.setattr(compare, "BATCH", 1)
    assert verify().ok
