import pytest
from django.contrib.auth.models import Group
from django.test import RequestFactory

from accounts import guard, roles
from accounts.permissions import Permission, Role
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.core.errors import Refused
from tests.unit.accounts import urls

pytestmark = [pytest.mark.urls(urls.__name__), pytest.mark.any_database]


def test_a_person_with_the_permission_is_let_in(client_as):
    assert client_as("employee").get("/").content == b"hello employee"


def test_an_anonymous_caller_is_sent_to_sign_in_and_back(client):
    answer = client.get("/trail?verb=token.created&q=a b")
    assert answer.status_code == 302
    assert answer["Location"] == "/login?next=%2Ftrail%3Fverb%3Dtoken.created%26q%3Da%20b".replace("%20", "%2520")


def test_a_form_sent_without_a_session_does_not_come_back_to_an_address_that_only_takes_forms(client):
    answer = client.post("/ask")
    assert (answer.status_code, answer["Location"]) == (302, "/login")


def test_a_part_of_a_page_sends_the_whole_page_to_sign_in(client):
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/queue?after=3"}
    answer = client.get("/trail", headers=headers)
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == "/login?next=%2Fqueue%3Fafter%3D3"


def test_a_person_without_the_permission_is_refused_and_recorded(employee, rf: RequestFactory):
    request = rf.get("/trail?secret=1")
    request.user = employee
    with pytest.raises(Refused, match="for auditors and admins only") as refusal:
        urls.trail(request)
    assert refusal.value.reason == "not_permitted"
    event = AuditEvent.objects.get()
    assert (event.verb, event.actor, event.target, event.outcome) == (
        Verb.PAGE_REFUSED,
        "employee",
        "/trail",
        "refused",
    )


def test_the_page_needs_the_role(auditor, rf: RequestFactory):
    roles.assign({(Role.AUDITOR, "group:auditors")})

    def visit():
        request = rf.get("/trail")
        request.user = type(auditor).objects.get(pk=auditor.pk)
        return urls.trail(request)

    assert visit().status_code == 200
    auditor.groups.remove(Group.objects.get(name="auditors"))
    with pytest.raises(Refused):
        visit()


def test_an_action_reads_membership_again(employee, rf: RequestFactory, monkeypatch):
    """The guard's reading must not be what an action decides on."""
    for method, remembers in (("get", True), ("post", False)):
        request = getattr(rf, method)("/ask")
        request.user = type(employee).objects.get(pk=employee.pk)
        guard.requires(Permission.REQUEST)(urls.open_to_all)(request)
        assert hasattr(request.user, "_gatehouse_read_once") is remembers


def test_every_view_says_what_it_takes():
    assert urls.trail.permission is Permission.AUDIT
    assert urls.ask.permission is Permission.REQUEST, "seen through other decorators"
    assert urls.open_to_all.public is True
    assert not hasattr(urls.trail, "public")
