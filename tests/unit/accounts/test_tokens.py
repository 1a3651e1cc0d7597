import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import DatabaseError, connection

from accounts import roles, token_refusals, tokens
from accounts.models import Token, User
from accounts.operator import Operator
from accounts.permissions import Role
from portal.audit.models import AuditEvent, RepeatedRefusal
from portal.audit.record import Source, source
from portal.audit.verbs import Verb
from portal.core.errors import Conflict, Invalid, Missing, Refused
from portal.core.token_text import COMPLETE
from tests.factories import PASSWORD
from tests.unit.accounts.test_limits import read_only

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def make(person, *, scopes=("read",), days=90, name="script"):
    return tokens.create(by=person, name=name, scopes=scopes, days=days, password=PASSWORD)


def last_event():
    return AuditEvent.objects.order_by("-seq").first()


def test_a_person_has_a_maximum_number_of_tokens(employee, lead, monkeypatch):
    monkeypatch.setattr(tokens, "MAX_LIVE", 2)
    first, _ = make(employee)
    make(employee)
    with pytest.raises(Refused) as refused:
        make(employee)
    assert refused.value.reason == "too_many_tokens"
    make(lead)
    tokens.revoke(by=employee, token_id=first.pk)
    make(employee)


@pytest.mark.django_db(transaction=True)
def test_simultaneous_creations_respect_the_maximum(employee, monkeypatch):
    monkeypatch.setattr(tokens, "MAX_LIVE", 2)

    def create(number: int) -> str:
        try:
            tokens.create(by=Operator("root"), owner=employee, name=f"n{number}", scopes=["read"], days=1)
            return "made"
        except Refused as refused:
            return refused.reason
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = sorted(pool.map(create, range(6)))
    assert answers == ["made"] * 2 + ["too_many_tokens"] * 4
    assert Token.objects.count() == 2


@pytest.mark.parametrize("name", ["\u3164\u2800", f"copy of gh_abcdefghijkl_{'A1' * 19}"])
def test_a_token_name_contains_no_token_and_no_invisible_character(employee, name):
    with pytest.raises(Invalid) as refusal:
        make(employee, name=name)
    assert list(refusal.value.fields) == ["name"]


@time_machine.travel(NOW, tick=False)
def test_a_token_authenticates_as_its_owner(employee):
    token, plaintext = make(employee, scopes=["request", "read"])
    assert tokens.authenticate(plaintext) == token
    assert token.scopes == ["read", "request"]
    assert token.expires_at - token.created_at == timedelta(days=90)
    event = last_event()
    assert (event.verb, event.actor, event.target) == (Verb.TOKEN_CREATED, "employee", str(token))


def test_its_form_is_one_that_scanners_can_find(employee):
    _, plaintext = make(employee)
    assert re.fullmatch(r"gh_[a-z0-9]{12}_[A-Za-z0-9]{38}", plaintext)


def test_the_scopes_of_a_token_are_read_once(auditor, django_assert_num_queries):
    roles.assign({(Role.AUDITOR, f"user:{auditor.username}")})
    with django_assert_num_queries(1):
        assert "audit" in tokens.allowed_scopes(auditor)


def test_neither_the_table_nor_the_trail_holds_the_secret(employee):
    token, plaintext = make(employee)
    secret = plaintext.split("_")[2]
    assert secret not in str(Token.objects.filter(pk=token.pk).values())
    assert not AuditEvent.objects.filter(payload__contains=secret).exists()


def test_a_mistyped_token_costs_no_query(employee, django_assert_num_queries):
    _, plaintext = make(employee)
    slips = [plaintext[:-1] + "AB"[plaintext[-1] == "A"], plaintext[:-1], plaintext + "x"]
    slips += ["", "gh_", f" {plaintext}", f"{plaintext}\n"]
    with django_assert_num_queries(0):
        assert not any(tokens.is_live(wrong) for wrong in slips)
    assert not any(tokens.authenticate(wrong) for wrong in slips)


@pytest.mark.parametrize("why", ["malformed", "unknown", "forged", "revoked", "expired", "inactive"])
def test_a_refused_token_is_recorded_by_its_key_only(employee, why):
    token, plaintext = make(employee)
    sent, target = plaintext, str(token)
    if why == "malformed":
        sent, target = "Zm9vOmJhcg==", "unknown token"
    elif why == "unknown":
        sent, target = tokens._make()[0], "unknown token"
    elif why == "forged":
        sent = plaintext[:20] + "x" * (len(plaintext) - 20)
    elif why == "revoked":
        tokens.revoke(by=employee, token_id=token.pk)
    elif why == "expired":
        Token.objects.update(created_at=NOW - timedelta(days=9), expires_at=NOW - timedelta(days=1))
    else:
        User.objects.filter(pk=employee.pk).update(is_active=False)
    for _ in range(3):
        assert tokens.authenticate(sent) is None
    event = last_event()
    assert (event.verb, event.target, event.outcome) == (Verb.TOKEN_REFUSED, target, "refused")
    assert event.detail["reason"] == why
    assert sent not in event.payload and sent[-10:] not in event.payload
    assert AuditEvent.objects.filter(verb=Verb.TOKEN_REFUSED).count() == 1, "the repeats are counted"


def test_a_refused_token_is_written_at_once_and_its_repeats_together(employee, django_assert_num_queries):
    token, plaintext = make(employee)
    tokens.revoke(by=employee, token_id=token.pk)
    with time_machine.travel(NOW, tick=False) as clock:
        tokens.authenticate(plaintext)
        assert last_event().detail["reason"] == "revoked"
        for _ in range(50):
            with django_assert_num_queries(1):  # the token is looked up, nothing is written
                assert tokens.authenticate(plaintext) is None
        token_refusals.write()
        assert RepeatedRefusal.objects.get().repeats == 50
        with django_assert_num_queries(0):
            token_refusals.write()
        clock.shift(61)
        tokens.authenticate(plaintext)
        repeated, again = AuditEvent.objects.order_by("seq")[3:]
        assert (repeated.detail["repeats"], "repeats" in again.detail) == (50, False)


def test_refused_tokens_that_could_not_be_written_are_written_later(employee):
    token, plaintext = make(employee)
    tokens.revoke(by=employee, token_id=token.pk)
    with time_machine.travel(NOW, tick=False) as clock:
        for _ in range(3):
            tokens.authenticate(plaintext)
        with read_only(), pytest.raises(DatabaseError):
            token_refusals.write()
        token_refusals.write()
        assert RepeatedRefusal.objects.get().repeats == 2
        clock.shift(61)
        token_refusals.write()
    assert token_refusals._kept == {}


def test_many_kinds_of_refused_tokens_take_little_memory(employee, monkeypatch):
    monkeypatch.setattr(token_refusals, "MOST", 5)
    for number in range(30):
        reset = source.set(Source(address=f"192.0.2.{number}"))
        tokens.authenticate("rubbish")
        source.reset(reset)
    token_refusals.write()
    assert len(token_refusals._kept) == 6
    assert AuditEvent.objects.filter(verb=Verb.TOKEN_REFUSED).count() == 6
    assert sum(RepeatedRefusal.objects.values_list("repeats", flat=True)) == 24


def test_a_combined_count_names_no_token(employee, monkeypatch):
    token, plaintext = make(employee)
    tokens.revoke(by=employee, token_id=token.pk)
    monkeypatch.setattr(token_refusals, "MOST", 0)
    tokens.authenticate(plaintext)
    assert (last_event().target, last_event().detail["reason"]) == ("unknown token", "revoked")
    assert last_event().about == ["unnamed:unknown token"]


def test_a_right_key_with_a_wrong_secret_is_refused(employee, colleague):
    _, mine = make(employee)
    _, theirs = make(colleague)
    body = "_".join([*mine.split("_")[:2], theirs.split("_")[2][:32]])
    forged = body + tokens._checksum(body)
    assert COMPLETE.fullmatch(forged)
    assert tokens.authenticate(forged) is None


def test_it_ends_with_its_time(employee):
    with time_machine.travel(NOW, tick=False) as clock:
        _, plaintext = make(employee, days=1)
        clock.move_to(NOW + timedelta(days=1) - timedelta(seconds=1))
        assert tokens.authenticate(plaintext) is not None
        clock.move_to(NOW + timedelta(days=1))
        assert tokens.authenticate(plaintext) is None


def test_a_token_of_a_deactivated_owner_is_refused(employee):
    _, plaintext = make(employee)
    employee.is_active = False
    employee.save(update_fields=["is_active"])
    assert tokens.authenticate(plaintext) is None


def test_revoking_ends_it_at_once_and_says_when(employee):
    token, plaintext = make(employee)
    tokens.revoke(by=employee, token_id=token.pk)
    assert last_event().verb == Verb.TOKEN_REVOKED
    assert tokens.authenticate(plaintext) is None
    with pytest.raises(Conflict, match="was revoked") as refusal:
        tokens.revoke(by=employee, token_id=token.pk)
    assert refusal.value.reason == "already_revoked"


def test_another_persons_token_is_not_found(employee, admin):
    token, plaintext = make(employee)
    with pytest.raises(Missing):
        tokens.revoke(by=admin, token_id=token.pk)
    assert tokens.authenticate(plaintext) is not None
    assert last_event().verb == Verb.TOKEN_REVOKE_REFUSED
    tokens.revoke(by=Operator("root"), token_id=token.pk)
    assert tokens.authenticate(plaintext) is None


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"days": 0}, "days"),
        ({"days": 366}, "days"),
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["read", "everything"]}, "scopes"),
    ],
)
def test_invalid_input_is_reported_by_field(employee, given, field):
    with pytest.raises(Invalid) as refusal:
        make(employee, **given)
    assert list(refusal.value.fields) == [field]
    assert not Token.objects.exists()
    assert last_event().verb == Verb.TOKEN_CREATE_REFUSED


@pytest.mark.parametrize("scope", ["decide", "audit"])
def test_a_scope_beyond_the_roles_is_refused(employee, scope):
    with pytest.raises(Refused, match=f"scope {scope} is not possible.*read, request, operate") as refusal:
        make(employee, scopes=["read", scope])
    assert refusal.value.reason == "scope"
    assert not Token.objects.exists()


def test_scopes_shrink_with_the_owners_roles(lead):
    roles.assign({(Role.APPROVER, "group:data-leads")})
    token, _ = make(lead, scopes=["read", "decide"])
    assert tokens.scopes_in_force(token) == {"read", "decide"}
    lead.groups.clear()
    assert tokens.scopes_in_force(Token.objects.get(pk=token.pk)) == {"read"}


def test_a_deactivated_person_gets_no_token(employee):
    employee.is_active = False
    employee.save(update_fields=["is_active"])
    with pytest.raises(Refused) as refusal:
        tokens.create(by=Operator("root"), owner=employee, name="x", scopes=["read"], days=1)
    assert refusal.value.reason == "inactive"


def test_its_use_is_written_at_most_once_a_minute(employee, django_assert_num_queries):
    with time_machine.travel(NOW, tick=False) as clock:
        token, plaintext = make(employee)
        with django_assert_num_queries(1):
            tokens.authenticate(plaintext)
        tokens.write_uses()
        clock.move_to(NOW + timedelta(seconds=59))
        tokens.authenticate(plaintext)
        with django_assert_num_queries(0):
            tokens.write_uses()
        token.refresh_from_db()
        assert token.last_used_at == NOW
        clock.move_to(NOW + timedelta(seconds=61))
        tokens.authenticate(plaintext)
        tokens.write_uses()
        token.refresh_from_db()
        assert token.last_used_at == NOW + timedelta(seconds=61)


def test_without_the_trail_nothing_is_made_or_ended(employee, request):
    token, plaintext = make(employee)
    request.getfixturevalue("broken_trail")
    with pytest.raises(DatabaseError):
        make(employee, name="second")
    with pytest.raises(DatabaseError):
        tokens.revoke(by=employee, token_id=token.pk)
    assert list(Token.objects.values_list("name", flat=True)) == ["script"]
    assert tokens.authenticate(plaintext) is not None


@pytest.mark.django_db(transaction=True)
def test_only_one_of_simultaneous_revocations_succeeds(employee):
    token, _ = make(employee)

    def revoke(_: int) -> str:
        try:
            tokens.revoke(by=employee, token_id=token.pk)
            return "revoked"
        except Conflict as conflict:
            return conflict.reason
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = sorted(pool.map(revoke, range(6)))
    assert answers == ["already_revoked"] * 5 + ["revoked"]
    assert AuditEvent.objects.filter(verb=Verb.TOKEN_REVOKED).count() == 1
