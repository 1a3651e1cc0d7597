"""A new password ends what the old one opened; what outlives a session asks for it again."""

from __future__ import annotations

import io
import json

import pytest
from django.contrib.auth.hashers import make_password
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from accounts import passwords, tokens
from accounts.models import Token, User
from accounts.operator import Operator
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.core.errors import Conflict, Invalid
from tests.factories import PASSWORD, person
from tests.views.pages import Page

NEW = "a quite different one"


def run(*args):
    out = io.StringIO()
    call_command("person", *args, stdout=out)
    return out.getvalue()


def signed_in(client: Client) -> bool:
    return client.get("/profile").status_code == 200


@pytest.fixture
def token(cast) -> Token:
    return tokens.create(by=cast["employee"], name="script", scopes=["read"], days=7, password=PASSWORD)[0]


def test_a_reset_ends_sessions_and_tokens_and_says_so(token, catalogue, client_as):
    client = client_as("employee")
    said = run("reset", "employee")
    assert f"all sessions ended, and tokens: {token}" in said
    assert person("employee").check_password(said.split("shown this once: ")[1].strip())
    assert not signed_in(client)
    assert Token.objects.get().revoked_at is not None
    revoked, changed = AuditEvent.objects.order_by("-seq")[:2][::-1]
    assert (revoked.verb, revoked.target, revoked.on_behalf_of) == (Verb.TOKEN_REVOKED, str(token), "employee")
    assert (changed.verb, changed.target) == (Verb.PASSWORD_CHANGED, "employee")
    assert json.loads(changed.payload)["detail"] == {"tokens_ended": [str(token)]}


@pytest.mark.parametrize("verb", ["reset", "add"])
def test_a_reset_with_a_given_password(token, catalogue, client_as, monkeypatch, verb):
    client = client_as("employee")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{NEW}\n"))
    run(verb, "employee", "--password-stdin")
    assert person("employee").check_password(NEW)
    assert not signed_in(client)
    assert Token.objects.get().revoked_at is not None


def test_a_weak_password_changes_nothing(token, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    with pytest.raises(CommandError, match="too short"):
        run("reset", "employee", "--password-stdin")
    assert person("employee").check_password(PASSWORD)
    assert Token.objects.get().revoked_at is None


# --- one's own, on the profile page ----------------------------------------------------------------------------------
def test_changing_ones_password_keeps_only_the_present_session(token, catalogue, client_as):
    here, elsewhere = client_as("employee"), client_as("employee")
    answer = here.post("/profile/password", {"current": PASSWORD, "new": NEW, "again": NEW}, follow=True)
    assert "Your password is changed; you are signed out everywhere else. 1 token ended with it." in Page(answer).text
    assert person("employee").check_password(NEW)
    assert (signed_in(here), signed_in(elsewhere)) == (True, False)
    assert Token.objects.get().revoked_at is not None
    assert AuditEvent.objects.filter(verb=Verb.PASSWORD_CHANGED, actor="employee").exists()


def test_a_reset_right_after_ones_own_change_ends_this_session_too(transactional_db, catalogue, client_as):
    client, busy, resets = client_as("employee"), [], []

    def reset_once(execute, sql, params, many, context):
        """Before the first statement that follows the commit of the person's own change."""
        if not busy and not connection.in_atomic_block:
            busy.append(True)
            if not resets and AuditEvent.objects.filter(verb=Verb.PASSWORD_CHANGED).exists():
                resets.append(passwords.reset(by=Operator("root"), username="employee"))
            busy.clear()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(reset_once):
        client.post("/profile/password", {"current": PASSWORD, "new": NEW, "again": NEW})
    assert resets and not person("employee").check_password(NEW)
    assert not signed_in(client)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"current": "wrong"}, "The password is wrong."),
        ({"current": ""}, "Enter your password."),
        ({"new": "short", "again": "short"}, "too short"),
        ({"again": "not the same at all"}, "The two passwords are different."),
        ({"new": PASSWORD, "again": PASSWORD}, "This is your current password."),
    ],
)
def test_mistakes_stand_beside_their_field_and_nothing_changes(token, catalogue, client_as, given, said):
    client = client_as("employee")
    answer = client.post("/profile/password", {"current": PASSWORD, "new": NEW, "again": NEW} | given)
    assert answer.status_code == 422
    assert said in Page(answer).text
    for secret in (PASSWORD, NEW, "short"):
        assert f'value="{secret}"' not in answer.content.decode()
    assert person("employee").check_password(PASSWORD)
    assert Token.objects.get().revoked_at is None


def test_creating_a_token_needs_the_password(catalogue, client_as):
    """A session that somebody else got hold of must not become a token of a year."""
    client = client_as("employee")
    form = {"name": "thief", "scopes": ["read"], "days": "365"}
    for given, said in (({}, "Enter your password."), ({"password": "wrong"}, "The password is wrong.")):
        answer = client.post("/profile/tokens", form | given)
        assert (answer.status_code, said in Page(answer).text) == (422, True)
        event = AuditEvent.objects.order_by("-seq").first()
        assert (event.verb, event.outcome, event.actor) == (Verb.TOKEN_CREATE_REFUSED, "refused", "employee")
    assert not Token.objects.exists()
    assert client.post("/profile/tokens", form | {"password": PASSWORD}).status_code == 200
    assert Token.objects.exists()


def test_a_password_changed_during_the_check_is_not_accepted(employee):
    proof = passwords.confirm(employee, PASSWORD, refusal=Verb.TOKEN_CREATE_REFUSED, target="employee")
    User.objects.filter(pk=employee.pk).update(password=make_password(NEW))
    with pytest.raises(Conflict):
        passwords.check_still(person("employee"), proof)


def test_an_operator_needs_no_password(employee):
    token, _ = tokens.create(by=Operator("root"), owner=employee, name="x", scopes=["read"], days=1)
    assert token.user == employee
    with pytest.raises(Invalid):
        tokens.create(by=employee, name="x", scopes=["read"], days=1)
