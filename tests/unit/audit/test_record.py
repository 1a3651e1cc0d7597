"""Writing the trail: with what it records, or neither."""

from __future__ import annotations

import hashlib
import json
import threading

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction

from portal.audit.format import GENESIS, canonical
from portal.audit.models import AuditEvent, AuditHead, AuditReference
from portal.audit.record import Source, recording, source
from portal.audit.verbs import Verb
from portal.audit.verify import verify
from portal.core.errors import Conflict, Refused
from tests import trail as tampering
from tests.unit.audit.conftest import Somebody, happen

V = Verb
LEAD = Somebody("lead")


def verbs() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))


def groups() -> set[str]:
    return set(Group.objects.values_list("name", flat=True))


def no(reason: str = "own_request") -> Refused:
    return Refused("This is your own request.", reason=reason)


# --- one block -------------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_events_are_chained_numbered_and_projected():
    first, second = happen("REQ-1"), happen("REQ-2", about=["REQ-2", "deployment:demo"], detail={"comment": "fine"})
    assert (first.seq, first.prev, second.seq, second.prev) == (1, GENESIS, 2, first.chain)
    for event in (first, second):
        assert event.leaf == hashlib.sha256(b"\0" + event.payload.encode()).hexdigest()
        assert event.chain == hashlib.sha256(bytes.fromhex(event.prev) + bytes.fromhex(event.leaf)).hexdigest()
    said = json.loads(second.payload)
    assert said["detail"] == {"comment": "fine"}
    assert (said["actor"], said["verb"], said["target"], said["about"]) == (
        "lead",
        V.REQUEST_APPROVED,
        "REQ-2",
        ["REQ-2", "deployment:demo"],
    )
    head = AuditHead.objects.get()
    assert (head.seq, head.chain) == (2, second.chain)


@pytest.mark.django_db
def test_every_payload_has_its_version_and_a_salt_of_its_own_which_is_not_searched():
    first, second = (json.loads(happen().payload) for _ in range(2))
    assert (first["v"], second["v"]) == (1, 1)
    assert len(first["salt"]) == len(second["salt"]) == 32
    assert first["salt"] != second["salt"]
    event = AuditEvent.objects.get(seq=1)
    assert first["salt"] not in event.search_text
    assert "request.approved" in event.search_text


@pytest.mark.django_db
def test_a_payload_that_is_erased_breaks_no_chain():
    for _ in range(3):
        happen()
    with tampering.triggers_off():
        AuditEvent.objects.filter(seq=2).update(payload="")
    chain = GENESIS
    for event in AuditEvent.objects.order_by("seq"):
        chain = hashlib.sha256(bytes.fromhex(chain) + bytes.fromhex(event.leaf)).hexdigest()
        assert event.chain == chain
    assert {words.split(" of ")[0] for words in verify().problems} == {
        "Event 2 was changed: its leaf does not match its text.",
        "The text",
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("verb", "target", "about", "said"),
    [
        (V.REQUEST_APPROVED, "REQ-1", ["REQ-1", "GR-2"], ["REQ-1", "GR-2"]),
        (V.GRANT_REVOKED, "GR-2", ["REQ-1", "GR-2", "REQ-1", ""], ["GR-2", "REQ-1"]),
        (V.SIGNED_IN, "demo", ["deployment:demo"], ["person:demo", "deployment:demo"]),
        (V.SIGNED_IN, "REQ-1", [], ["person:REQ-1"]),
        (V.REQUEST_SUBMIT_REFUSED, "demo/role/Op", [], ["entitlement:demo/role/Op"]),
        (V.REQUEST_SUBMIT_REFUSED, "demo/sales_report", [], ["dag:demo/sales_report"]),
        (V.RUN_REQUEST_REFUSED, "demo/sales_report", [], ["dag:demo/sales_report"]),
        (V.CALL_REFUSED, "demo/sales_report", [], ["dag:demo/sales_report"]),
        (V.CALL_REFUSED, "/api/v1/me", [], ["address:/api/v1/me"]),
        (V.CALL_REFUSED, "REQ-7", [], ["REQ-7"]),
        (V.PAGE_REFUSED, "GET /api/v1/me", [], ["address:GET /api/v1/me"]),
        (V.VARIABLE_CHANGED, "demo/variable/x", ["OP-3"], ["variable:demo/variable/x", "OP-3"]),
        (V.SIGN_IN_REFUSED, "unknown name", ["unnamed:unknown name"], ["unnamed:unknown name"]),
        (V.AUDIT_EXPORTED, "audit", [], ["trail:audit"]),
    ],
)
def test_what_an_event_is_about_includes_its_target_with_its_kind(verb, target, about, said):
    event = happen(target, verb=verb, about=about)
    assert event.about == said
    assert set(AuditReference.objects.values_list("seq", "reference")) == {(1, one) for one in said}
    assert verify().ok


@pytest.mark.django_db
def test_of_several_references_of_a_kind_the_first_is_the_one_that_the_event_changes():
    event = happen("GR-2", verb=V.GRANT_SCHEDULED, about=["REQ-5", "REQ-1", "GR-1", "OP-3", "deployment:demo"])
    assert (event.request, event.grant, event.operation, event.deployment) == ("REQ-5", "GR-2", "OP-3", "demo")


@pytest.mark.django_db
def test_source_and_token_are_those_of_the_call():
    reset = source.set(Source(address="203.0.113.9", token="gh_abc script"))
    try:
        event = happen()
    finally:
        source.reset(reset)
    assert (event.source, event.token) == ("203.0.113.9", "gh_abc script")
    assert happen().token == ""


@pytest.mark.django_db
def test_no_event_contains_a_complete_token_but_a_name_that_begins_like_one():
    token = f"gh_abcdefghijkl_{'A1' * 19}"
    event = happen("gh_dataplatform_daily", detail={"name": f"of {token}.", "conf": [{token: "x"}]})
    said = json.loads(event.payload)
    assert said["detail"] == {"name": "of gh_abcdefghijkl_***.", "conf": [{"gh_abcdefghijkl_***": "x"}]}
    assert (said["target"], event.target) == ("gh_dataplatform_daily", "gh_dataplatform_daily")
    assert "A1A1" not in event.search_text


@pytest.mark.django_db
def test_a_person_who_is_called_like_a_token_keeps_the_name_as_an_actor():
    name = f"gh_abcdefghijkl_{'A1' * 19}"
    happen(name, by=name, on_behalf_of=Somebody(name))
    with pytest.raises(Refused), recording(refusal=V.REQUEST_APPROVE_REFUSED, by=Somebody(name[:20]), target=name[:20]):
        raise no()
    done, refused = AuditEvent.objects.order_by("seq")
    assert (done.actor, done.on_behalf_of, done.target) == (name, name, "gh_abcdefghijkl_***")
    assert (refused.actor, refused.target) == (name[:20], "gh_abcdefghijkl_***")
    assert [json.loads(event.payload)["actor"] for event in (done, refused)] == [name, name[:20]]


@pytest.mark.django_db
def test_a_block_without_events_leaves_the_head_alone():
    with recording():
        Group.objects.create(name="made")
    assert AuditHead.objects.get().seq == 0
    assert groups() == {"made"}


@pytest.mark.django_db
def test_a_refusal_undoes_the_block_and_is_recorded_itself():
    with pytest.raises(Refused), recording(refusal=V.REQUEST_APPROVE_REFUSED, by=LEAD, target="REQ-1") as trail:
        Group.objects.create(name="made")
        trail.add(V.REQUEST_APPROVED, by=LEAD, target="REQ-1")
        raise no()
    assert groups() == set()
    event = AuditEvent.objects.get()
    assert (event.verb, event.outcome, event.actor, event.target) == (
        V.REQUEST_APPROVE_REFUSED, "refused", "lead", "REQ-1",
    )  # fmt: skip
    assert json.loads(event.payload)["detail"] == {"reason": "own_request", "said": "This is your own request."}


@pytest.mark.django_db
def test_another_exception_undoes_the_block_and_is_not_recorded():
    with pytest.raises(ZeroDivisionError), recording(refusal=V.REQUEST_APPROVE_REFUSED, by=LEAD, target="REQ-1"):
        Group.objects.create(name="made")
        raise ZeroDivisionError
    assert (groups(), verbs()) == (set(), [])
    happen()
    assert verbs() == [V.REQUEST_APPROVED]


# --- blocks in blocks ------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_joined_block_shares_the_transaction_and_keeps_the_order():
    with recording() as outer:
        outer.add(V.REQUEST_APPROVED, by=LEAD, target="REQ-1")
        with recording() as inner:
            inner.add(V.GRANT_SCHEDULED, by=None, target="GR-1")
        assert AuditEvent.objects.count() == 0, "events are appended last, when the outermost block is left"
        outer.add(V.GRANT_STARTED, by=None, target="GR-1")
    assert verbs() == [V.REQUEST_APPROVED, V.GRANT_SCHEDULED, V.GRANT_STARTED]


@pytest.mark.django_db
def test_a_joined_block_that_fails_and_is_caught_leaves_nothing_but_its_refusal():
    with recording() as outer:
        outer.add(V.REQUEST_APPROVED, by=LEAD, target="REQ-1")
        with pytest.raises(Refused):  # noqa: SIM117 - the block around must not see it
            with recording(refusal=V.GRANT_REVOKE_REFUSED, by=LEAD, target="GR-1") as inner:
                Group.objects.create(name="inner")
                inner.add(V.GRANT_REVOKED, by=LEAD, target="GR-1")
                raise no()
        Group.objects.create(name="outer")
    assert groups() == {"outer"}
    assert verbs() == [V.REQUEST_APPROVED, V.GRANT_REVOKE_REFUSED]


@pytest.mark.django_db
def test_a_refusal_in_a_joined_block_is_recorded_after_a_rollback():
    with pytest.raises(Refused), recording() as outer:
        Group.objects.create(name="outer")
        outer.add(V.REQUEST_APPROVED, by=LEAD, target="REQ-1")
        with recording(refusal=V.GRANT_REVOKE_REFUSED, by=LEAD, target="GR-1"):
            raise no()
    assert (groups(), verbs()) == (set(), [V.GRANT_REVOKE_REFUSED])


@pytest.mark.django_db
def test_the_outermost_refusal_is_the_one_that_was_attempted():
    attempted = recording(refusal=V.REQUEST_SUBMIT_REFUSED, by=LEAD, target="demo/role/User")
    with pytest.raises(Refused), attempted, recording(refusal=V.GRANT_REVOKE_REFUSED, by=LEAD, target="GR-1"):
        raise no()
    assert verbs() == [V.REQUEST_SUBMIT_REFUSED]


@pytest.mark.django_db(transaction=True)
def test_recording_inside_a_bare_transaction_is_refused():
    """It could undo what was recorded, the record of a refusal above all."""
    with pytest.raises(RuntimeError), transaction.atomic(), recording():
        pass
    with recording() as trail:
        trail.add(V.REQUEST_APPROVED, by=LEAD, target="REQ-1")
    assert verbs() == [V.REQUEST_APPROVED]


# --- no event, no action ---------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_nothing_is_kept_when_the_event_cannot_be_written(broken_trail: None):
    with pytest.raises(DatabaseError, match="the trail is broken"), recording() as trail:
        Group.objects.create(name="made")
        trail.add(V.GROUPS_CHANGED, by=LEAD, target="employee")
    assert (groups(), verbs(), AuditHead.objects.get().seq) == (set(), [], 0)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_kept_when_the_head_is_gone():
    with tampering.triggers_off():
        AuditHead.objects.all().delete()
    with pytest.raises(AuditHead.DoesNotExist), recording() as trail:
        Group.objects.create(name="made")
        trail.add(V.GROUPS_CHANGED, by=LEAD, target="employee")
    assert groups() == set()


@pytest.mark.django_db(transaction=True)
def test_a_refusal_that_cannot_be_recorded_reports_the_trail_failure(broken_trail: None):
    with pytest.raises(DatabaseError, match="the trail is broken") as caught:  # noqa: SIM117
        with recording(refusal=V.REQUEST_APPROVE_REFUSED, by=LEAD, target="REQ-1"):
            Group.objects.create(name="made")
            raise no()
    causes: list[BaseException] = [caught.value]
    while causes[-1].__context__:
        causes.append(causes[-1].__context__)
    assert any(isinstance(error, Refused) for error in causes), "what was refused is in the log with it"
    assert groups() == set()


@pytest.mark.django_db(transaction=True)
def test_a_refusal_is_recorded_even_when_the_connection_broke_in_the_block():
    with pytest.raises(Conflict), recording(refusal=V.REQUEST_APPROVE_REFUSED, by=LEAD, target="REQ-1"):
        Group.objects.create(name="made")
        connection.connection.close()  # as when the server goes away: Django does not know yet
        raise Conflict("Somebody was first.")
    assert (groups(), verbs()) == (set(), [V.REQUEST_APPROVE_REFUSED])


# --- what is said ----------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_texts_that_no_database_stores_are_replaced_in_the_text_and_in_the_columns():
    event = happen("a\ud800b\x00c", by="l\udfffd", detail={"k\x00": ["\ud83d", {"x": "é \U0001f600"}]})
    assert (event.target, event.actor) == ("a\ufffdb\ufffdc", "l\ufffdd")
    assert json.loads(event.payload)["detail"] == {"k\ufffd": ["\ufffd", {"x": "é \U0001f600"}]}
    assert verify().ok


@pytest.mark.django_db
def test_a_value_too_long_for_its_column_is_cut_in_the_text_too():
    event = happen("t" * 1000, about=["deployment:" + "d" * 1000])
    assert event.target == "t" * 419 + "…"
    assert event.about[1] == "deployment:" + "d" * 428 + "…"
    assert verify().ok


def test_canonical_text_is_sorted_compact_and_knows_no_floats():
    assert (
        canonical({"b": [1, True, None], "a": {"z": "é", "y": "\n"}}) == '{"a":{"y":"\\n","z":"é"},"b":[1,true,null]}'
    )
    for wrong in (1.5, float("nan"), b"x", object()):
        with pytest.raises(TypeError):
            canonical({"a": wrong})


@pytest.mark.django_db
def test_a_detail_that_json_cannot_express_stops_the_action():
    with pytest.raises(TypeError), recording() as trail:
        Group.objects.create(name="made")
        trail.add(V.GROUPS_CHANGED, by=LEAD, target="employee", detail={"ratio": 0.5})
    assert groups() == set()


# --- many at once ----------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_eight_writers_at_once_make_one_chain_without_gaps():
    writers, each = 8, 15
    together, failures = threading.Barrier(writers), []

    def write(number: int) -> None:
        try:
            together.wait()
            for step in range(each):
                with recording() as trail:
                    Group.objects.create(name=f"{number}-{step}")
                    trail.add(V.GROUPS_CHANGED, by=Somebody(f"writer {number}"), target=f"{step}")
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    result = verify()
    assert (result.problems, result.events, result.head_seq) == ([], writers * each, writers * each)
    assert len(groups()) == writers * each
    for number in range(writers):  # each writer's own events are in the order in which it wrote them
        mine = AuditEvent.objects.filter(actor=f"writer {number}").order_by("seq").values_list("target", flat=True)
        assert list(mine) == [str(step) for step in range(each)]


@pytest.mark.django_db(transaction=True)
def test_threads_do_not_join_each_others_blocks():
    inside, done, failures = threading.Event(), threading.Event(), []

    def other() -> None:
        try:
            inside.wait(10)
            with recording() as trail:
                done.set()
                trail.add(V.SIGNED_OUT, by=LEAD, target="other thread")
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    with pytest.raises(Conflict), recording() as trail:
        trail.add(V.SIGNED_OUT, by=LEAD, target="main thread")
        inside.set()
        if connection.vendor == "postgresql":  # on SQLite the other one waits until this one has ended
            assert done.wait(10)
        raise Conflict("undone")
    thread.join()
    assert failures == []
    assert list(AuditEvent.objects.values_list("target", flat=True)) == ["other thread"]
