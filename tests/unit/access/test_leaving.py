"""Letting people go: at the command line, in the portal, and in Airflow."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import tokens
from accounts.models import Token, User
from portal.access.models import AccessRequest, Grant
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from tests import factories
from tests.factories import PASSWORD, grant_at_status, person, request_at_status, work_off


def run(*args):
    out = io.StringIO()
    call_command("person", *args, stdout=out)
    return out.getvalue()


def open_requests():
    return [request.ref for request in AccessRequest.objects.filter(status="pending").order_by("pk")]


def live_grants():
    return [grant.ref for grant in Grant.objects.exclude(status="ended").order_by("pk")]


def verbs_since(seq):
    return list(AuditEvent.objects.filter(seq__gt=seq).order_by("seq").values_list("verb", flat=True))


@pytest.fixture
def employed(airflow, cast):
    """employee with a token, a request of their own, one for somebody else, and grants active and scheduled."""
    tokens.create(by=cast["employee"], name="script", scopes=["read"], days=7, password=PASSWORD)
    grant_at_status("active", entitlement="demo/role/User")
    grant_at_status("scheduled", entitlement="demo/role/Viewer", duration=factories.timedelta(hours=1))
    request_at_status("pending", entitlement="demo/role/Op")
    request_at_status("pending", entitlement="demo/dag/sales_report/view", beneficiary="colleague")
    return cast["employee"]


def test_everything_ends_with_words_and_events(airflow, employed, client_as):
    client = client_as("employee")
    seq = AuditEvent.objects.order_by("-seq").first().seq
    requests, grants = open_requests(), live_grants()
    assert (len(requests), len(grants)) == (2, 2)
    said = run("deactivate", "employee", "--reason", "left the company")
    before, after = said.splitlines()[:2]
    token = str(Token.objects.get())
    ends = f"tokens {token}; requests {', '.join(requests)}; grants {', '.join(grants)}"
    assert before == f"To deactivate employee: sign-in and sessions end; {ends}."
    assert after == f"employee is deactivated; ended: {ends}."
    assert client.get("/").status_code == 302
    assert [request.status for request in AccessRequest.objects.order_by("pk")][2:] == ["lapsed", "lapsed"]
    assert [(g.status, g.end_reason) for g in Grant.objects.order_by("pk")] == [
        ("ending", "leaver"),
        ("ended", "leaver"),
    ]
    assert verbs_since(seq) == [
        Verb.TOKEN_REVOKED,
        Verb.REQUEST_LAPSED,
        Verb.REQUEST_LAPSED,
        Verb.GRANT_LEAVER,
        Verb.GRANT_LEAVER,
        Verb.PERSON_DEACTIVATED,
    ]
    assert json.loads(AuditEvent.objects.order_by("-seq").first().payload)["detail"] == {
        "reason": "left the company",
        "tokens": [token],
        "requests": requests,
        "grants": grants,
    }
    assert airflow.roles_of("employee") == {"User"}
    work_off()
    assert airflow.roles_of("employee") == set()
    assert live_grants() == []


def test_a_grant_that_ends_at_this_very_moment_keeps_nobody_here(employed):
    """Another worker ends it after the list of what the person holds was read."""
    active, scheduled = Grant.objects.order_by("pk")
    ended = []

    def end_first(execute, sql, params, many, context):
        if not ended and sql.startswith("SELECT") and '"access_grant"."id" = %s' in sql:
            ended.append(scheduled.ref)
            now = factories.timezone.now()
            Grant.objects.filter(pk=scheduled.pk).update(status="ended", end_reason="revoked", ended_at=now)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(end_first):
        run("deactivate", "employee")
    assert ended == [scheduled.ref]
    assert not person("employee").is_active
    assert [(g.status, g.end_reason) for g in Grant.objects.order_by("pk")] == [
        ("ending", "leaver"),
        ("ended", "revoked"),
    ]
    [event] = AuditEvent.objects.filter(verb=Verb.PERSON_DEACTIVATED)
    assert json.loads(event.payload)["detail"]["grants"] == [active.ref]


def test_taken_back_nothing_that_ended_is_there_again(employed, client_as):
    client = client_as("employee")
    run("deactivate", "employee")
    assert "can sign in again" in run("reactivate", "employee")
    assert client.get("/").status_code == 302, "the session of before stays ended"
    assert not Token.objects.filter(revoked_at=None).exists()
    assert not AccessRequest.objects.filter(status="pending").exists()
    assert AuditEvent.objects.order_by("-seq").first().verb == Verb.PERSON_REACTIVATED
    signed_in = client_as("")
    answer = signed_in.post("/login", {"login": "employee", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/"), "with the password of before"
    assert signed_in.get("/").status_code == 200


def test_what_it_will_do_can_be_asked_alone(employed):
    seq = AuditEvent.objects.order_by("-seq").first().seq
    answer = json.loads(run("deactivate", "employee", "--plan", "--json"))
    assert answer == {
        "username": "employee",
        "done": False,
        "tokens": [str(Token.objects.get())],
        "requests": open_requests(),
        "grants": live_grants(),
    }
    assert person("employee").is_active
    assert verbs_since(seq) == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["deactivate", "nobody"], "nobody with the user name"),
        (["reactivate", "employee"], "employee is active"),
        (["groups", "employee", "--remove", "sales"], "employee is not in the group “sales”"),
        (["groups", "nobody", "--none"], "nobody with the user name"),
        (["reset", "nobody"], "nobody with the user name"),
        (["show", "nobody"], "nobody with the user name"),
    ],
)
def test_refusals_in_words(cast, args, said):
    with pytest.raises(CommandError, match=said) as refused:
        run(*args)
    assert refused.value.returncode == 1


def test_nobody_is_let_go_twice(cast):
    run("deactivate", "employee")
    with pytest.raises(CommandError, match="employee is already deactivated"):
        run("deactivate", "employee")


def test_groups_are_added_and_taken_away_also_the_last(cast):
    assert run("groups", "employee") == "groups: data\n"
    assert run("groups", "employee", "--add", "sales", "--add", "Data") == "groups: data, sales (before: data)\n"
    assert run("groups", "employee", "--remove", "DATA") == "groups: sales (before: data, sales)\n"
    assert run("groups", "employee", "--none") == "groups: none (before: sales)\n"
    assert run("groups", "employee", "--none", "--add", "data") == "groups: data (before: none)\n"
    assert run("add", "employee", "--group", "") == "employee changed: groups; groups: none\n"
    assert AuditEvent.objects.filter(verb=Verb.GROUPS_CHANGED).count() == 5


def test_list_and_show(employed):
    User.objects.filter(username="stranger").update(is_active=False)
    assert "colleague    data, sales" in run("list")
    assert "stranger    no group  deactivated" in run("list")
    assert run("list", "--group", "SALES") == "colleague    data, sales\n"
    [lead, lead2] = json.loads(run("list", "--group", "data-leads", "--json"))
    assert (lead["username"], lead["roles"], lead2["active"]) == ("lead", ["approver", "employee"], True)
    shown = run("show", "EMPLOYEE").splitlines()
    assert "groups: data" in shown
    assert f"grants: {', '.join(live_grants())}" in shown
    assert json.loads(run("show", "employee", "--json"))["requests"] == open_requests()
