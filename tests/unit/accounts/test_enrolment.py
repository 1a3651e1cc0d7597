import io
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import CommandError, call_command, execute_from_command_line
from django.db import DatabaseError, connection

from accounts import people, tokens
from accounts.enrolment import enrol
from accounts.models import Token, User
from accounts.operator import Operator, account
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.core.errors import Conflict, Invalid

BY = Operator("root")
GOOD = "a good enough password"


def verbs():
    return list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))


def run(*args):
    out = io.StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_a_new_person_with_groups_and_a_made_up_password():
    done = enrol(by=BY, username="nina", email="nina@example.com", name="Nina Ott", groups=["data", "new"])
    assert done.created
    assert done.groups == ("data", "new")
    assert done.user.check_password(done.password)
    assert len(done.password) >= 20
    assert (done.user.first_name, done.user.last_name) == ("Nina", "Ott")
    assert verbs() == [Verb.PERSON_ADDED, Verb.GROUPS_CHANGED]
    assert not AuditEvent.objects.filter(payload__contains=done.password).exists()


@pytest.mark.django_db
def test_the_same_again_changes_nothing():
    first = enrol(by=BY, username="nina", email="nina@example.com", groups=["data"], password=GOOD)
    again = enrol(by=BY, username="nina", email="nina@example.com", groups=["Data"], password=GOOD)
    assert again.user == first.user
    assert not again.created
    assert again.changed == ()
    assert again.password == ""
    assert User.objects.get().password == first.user.password, "open sessions stay open"
    assert verbs() == [Verb.PERSON_ADDED, Verb.GROUPS_CHANGED]


def test_only_what_is_named_changes(lead):
    done = enrol(by=BY, username="lead", groups=["data"])
    assert done.changed == ("groups",)
    assert done.user.email == "lead@example.com"
    event = AuditEvent.objects.get(verb=Verb.GROUPS_CHANGED)
    assert json.loads(event.payload)["detail"] == {"before": ["data", "data-leads"], "after": ["data"]}
    done = enrol(by=BY, username="lead", email="lea@example.com")
    assert done.changed == ("email",)
    assert done.groups == ("data",)
    assert json.loads(AuditEvent.objects.get(verb=Verb.PERSON_CHANGED).payload)["detail"] == {"changed": ["email"]}


def test_no_groups_at_all_is_not_the_same_as_none_given(lead):
    assert enrol(by=BY, username="lead", groups=[]).groups == ()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"username": "no spaces"}, "username"),
        ({"username": ""}, "username"),
        ({"username": "x" * 151}, "username"),
        ({"email": "not an address"}, "email"),
        ({"email": "LEAD@example.com"}, "email"),
        ({"name": "a\x00b"}, "name"),
        ({"password": "short"}, "password"),
        ({"password": "newcomer12345"}, "password"),
        ({"groups": ["fine", ""]}, "groups"),
    ],
)
def test_invalid_input_is_refused_and_nothing_is_saved(cast, given, field):
    with pytest.raises(Invalid) as refusal:
        enrol(by=BY, **{"username": "newcomer12345", **given})
    assert list(refusal.value.fields) == [field]
    assert User.objects.count() == len(cast)
    assert verbs() == [Verb.PERSON_CHANGE_REFUSED]


def test_without_the_trail_nobody_is_added_or_changed(lead, broken_trail):
    with pytest.raises(DatabaseError):
        enrol(by=BY, username="nina")
    with pytest.raises(DatabaseError):
        enrol(by=BY, username="lead", groups=[])
    assert not User.objects.filter(username="nina").exists()
    assert lead.groups.count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_same_person_added_twice_at_once_is_there_once():
    def add(_: int) -> str:
        try:
            return "added" if enrol(by=BY, username="nina", password=GOOD).created else "there"
        except Conflict:
            return "there"
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(add, range(4))) == ["added", "there", "there", "there"]
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_person_add_at_the_command_line(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GOOD}\n"))
    said = run("person", "add", "nina", "--group", "data", "--group", "sales", "--password-stdin", "--json")
    assert json.loads(said) == {
        "username": "nina",
        "created": True,
        "changed": ["password", "groups"],
        "groups": ["data", "sales"],
    }
    assert User.objects.get().check_password(GOOD)
    event = AuditEvent.objects.first()
    assert event.actor == f"os:{account()}"
    assert "nina unchanged; groups: data, sales" in run("person", "add", "nina", "--group", "sales", "--group", "data")


@pytest.mark.django_db
def test_a_made_up_password_is_shown_once():
    said = run("person", "add", "nina")
    assert User.objects.get().check_password(said.split("shown this once: ")[1].strip())


def test_refused_is_exit_code_1_and_wrong_usage_2(cast):
    with pytest.raises(CommandError, match="is not an e-mail address") as refused:
        run("person", "add", "nina", "--email", "x")
    assert refused.value.returncode == 1
    event = AuditEvent.objects.get(verb=Verb.PERSON_CHANGE_REFUSED)
    assert (event.target, event.outcome) == ("nina", "refused")
    assert event.source.startswith("command line (")
    for wrong in (["person"], ["person", "add"], ["person", "add", "nina", "--no-such"], ["token", "create"]):
        with pytest.raises(SystemExit) as usage:
            execute_from_command_line(["manage.py", *wrong])
        assert usage.value.code == 2


def test_token_commands(cast):
    plaintext = run("token", "create", "--user", "employee", "--scope", "read", "request", "--days", "7").strip()
    token = tokens.authenticate(plaintext)
    assert token is not None
    assert (token.user, token.scopes) == (cast["employee"], ["read", "request"])
    made = AuditEvent.objects.get(verb=Verb.TOKEN_CREATED)
    assert made.on_behalf_of == "employee"

    [line] = json.loads(run("token", "list", "--user", "employee", "--json"))
    assert (line["token"], line["status"], line["scopes"]) == (str(token), "valid", ["read", "request"])
    assert plaintext not in run("token", "list")
    assert run("token", "list", "--user", "lead") == ""

    assert run("token", "revoke", str(token)) == f"{token} revoked\n"
    assert tokens.authenticate(plaintext) is None
    assert "revoked until" in run("token", "list")
    with pytest.raises(CommandError, match="was revoked") as refused:
        run("token", "revoke", str(token))
    assert refused.value.returncode == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--user", "nobody", "--scope", "read"], "nobody with the user name"),
        (["--user", "employee", "--scope", "decide"], "the roles of employee do not allow it"),
        (["--user", "employee", "--scope", "read", "--days", "400"], "1 to 365 days"),
    ],
)
def test_invalid_token_options_are_refused(cast, args, said):
    with pytest.raises(CommandError, match=said) as refused:
        run("token", "create", *args)
    assert refused.value.returncode == 1
    assert not Token.objects.exists()


@pytest.mark.postgres
def test_groups_that_the_database_sorts_otherwise_are_not_changed_groups(db):
    enrol(by=BY, username="nina", groups=["Zeta", "alpha"])
    with connection.cursor() as cursor:
        cursor.execute('ALTER TABLE auth_group ALTER COLUMN name TYPE varchar(150) COLLATE "en-x-icu"')
    assert people.groups_of(User.objects.get()) == ["alpha", "Zeta"]
    assert enrol(by=BY, username="nina", groups=["Zeta", "alpha"]).changed == ()
    assert verbs().count(Verb.GROUPS_CHANGED) == 1
