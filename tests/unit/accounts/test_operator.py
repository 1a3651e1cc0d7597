"""Who runs a command: the account of the operating system, and an existing person where `--as` names one."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pwd
import socket

import pytest
from django.core.management import CommandError, call_command

from accounts import tokens
from accounts.models import Token, User
from accounts.operator import Operator
from accounts.permissions import Permission
from portal.audit.models import AuditEvent
from portal.audit.queries import Filters
from portal.audit.verbs import Verb
from portal.core.errors import Refused
from portal.setup.management.commands import audit
from tests.factories import PASSWORD

ACCOUNT = pwd.getpwuid(os.getuid()).pw_name


def run(*args):
    out = io.StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def last():
    return AuditEvent.objects.order_by("-seq").first()


@pytest.mark.django_db
def test_without_as_the_actor_is_the_account(monkeypatch):
    monkeypatch.setenv("USER", "somebody-else")
    monkeypatch.setenv("LOGNAME", "somebody-else")
    run("person", "add", "nina")
    assert (last().verb, last().actor) == (Verb.PERSON_ADDED, f"os:{ACCOUNT}")
    host = socket.gethostname().partition(".")[0]
    assert last().source == f"command line ({ACCOUNT}@{host})"[:64]


def test_with_as_the_person_and_the_account_are_recorded(cast):
    run("person", "groups", "employee", "--add", "sales", "--as", "ADMIN")
    assert last().actor == "admin"
    assert f"({ACCOUNT}@" in last().source


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody", "nobody with the user name “nobody”"),
        ("gatehouse", "the portal's own name in the audit trail"),
        ("GATEHOUSE", "the portal's own name in the audit trail"),
        ("ｇatehouse", "the portal's own name in the audit trail"),
        ("stranger", "stranger is deactivated"),
        ("os:root", "nobody with the user name"),
    ],
)
def test_as_must_name_an_existing_person(cast, name, said):
    User.objects.filter(username="stranger").update(is_active=False)
    with pytest.raises(CommandError, match=said) as refused:
        run("person", "groups", "employee", "--add", "sales", "--as", name)
    assert refused.value.returncode == 1
    assert (last().verb, last().actor, last().target) == (Verb.COMMAND_REFUSED, f"os:{ACCOUNT}", "person groups")
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize("verb", ["verify", "export"])
def test_a_restricted_command_needs_a_person_with_the_permission(catalogue, verb):
    with pytest.raises(CommandError, match="lead may not do this in the portal"):
        run("audit", verb, "--as", "lead")
    run("audit", verb, "--as", "auditor")
    assert last().actor == "auditor"


@pytest.mark.parametrize("spelling", ["jsmith", "JSMITH", "ｊSmith"])
def test_an_export_finds_a_person_in_any_spelling(db, spelling):
    run("person", "add", "JSmith")
    run("person", "groups", "JSmith", "--add", "data", "--as", "JSmith")
    for name, verbs in (("target", ["person.added", "person.groups_changed"]), ("actor", ["person.groups_changed"])):
        lines = run("audit", "export", f"--{name}", spelling).splitlines()
        assert [json.loads(line)["event"]["verb"] for line in lines] == verbs
    assert last().detail["filter"] == {"actor": "JSmith"}


# --- token revoke ----------------------------------------------------------------------------------------------------
@pytest.fixture
def two(cast) -> tuple[Token, str]:
    tokens.create(by=cast["lead"], name="nightly export", scopes=["read"], days=7, password=PASSWORD)
    return tokens.create(by=cast["employee"], name="nightly export", scopes=["read"], days=7, password=PASSWORD)


def test_a_token_is_revoked_by_its_id_or_name_never_by_its_secret(two):
    token, plaintext = two
    listed = json.loads(run("token", "list", "--json"))
    assert str(token) in [line["token"] for line in listed]
    with pytest.raises(CommandError, match=f"This contains a token's secret.* id instead: {token}") as refused:
        run("token", "revoke", plaintext)
    assert plaintext not in str(refused.value)
    for pasted in (f"{plaintext},", f"Bearer {plaintext}", plaintext[:30], f"{plaintext[:30]} {plaintext[30:]}"):
        with pytest.raises(CommandError, match=f"This contains a token's secret.* id instead: {token}") as refused:
            run("token", "revoke", pasted)
        assert plaintext[16:30] not in str(refused.value)
    with pytest.raises(CommandError, match="is the name of several"):
        run("token", "revoke", "nightly export")
    with pytest.raises(CommandError, match="There is no token “gh_nothere”"):
        run("token", "revoke", "gh_nothere")
    assert run("token", "revoke", "nightly export", "--user", "EMPLOYEE") == f"{token} revoked\n"
    other = Token.objects.get(user__username="lead")
    assert run("token", "revoke", str(other)) == f"{other} revoked\n"


@pytest.mark.parametrize(
    "command",
    [
        ("person", "show"),
        ("person", "deactivate"),
        ("person", "reset"),
        ("person", "groups", "employee", "--remove"),
        ("token", "list", "--user"),
        ("token", "list", "--as"),
        ("token", "revoke", "nightly export", "--user"),
    ],
)
def test_a_complete_token_in_a_wrong_place_is_neither_recorded_nor_shown(two, command):
    token, plaintext = two
    with pytest.raises(CommandError, match=rf"{token}_\*\*\*") as refused:
        run(*command, f"{plaintext},")
    secret = plaintext[16:]
    assert secret not in str(refused.value)
    assert last().outcome == "refused"
    assert not AuditEvent.objects.filter(payload__contains=secret).exists()


@pytest.mark.parametrize("verb", ["verify", "export"])
def test_a_person_who_lost_the_role_meanwhile_is_refused(catalogue, verb):
    by = Operator.current("auditor", needs=Permission.AUDIT)
    User.objects.get(username="auditor").groups.clear()
    options = {"json": True, "format": "jsonl", "no_bom": False, "output": None}
    options |= {f"only_{field.name}": "" for field in dataclasses.fields(Filters)}
    with pytest.raises(Refused) as refused:
        getattr(audit.Command(stdout=io.StringIO()), f"do_{verb}")(by=by, options=options)
    assert refused.value.reason == "not_permitted"
    assert (last().verb, last().actor, last().target) == (Verb.COMMAND_REFUSED, "auditor", f"audit {verb}")


# --- Django's own commands -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("command", "way_out"),
    [
        (("changepassword", "employee"), "manage.py person reset employee"),
        (("createsuperuser", "--username", "boss", "--email", "b@example.com", "--noinput"), "person add boss"),
    ],
)
def test_djangos_commands_for_people_are_refused(cast, command, way_out):
    before = list(User.objects.order_by("pk").values())
    with pytest.raises(CommandError, match=way_out) as refused:
        run(*command)
    assert refused.value.returncode == 1
    assert list(User.objects.order_by("pk").values()) == before
