"""Profile: preferences, and tokens that are shown once."""

import pytest

from accounts import tokens
from accounts.models import Token
from portal.web.profile.forms import SCOPE_WORDS
from tests.factories import PASSWORD
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("catalogue")


def test_it_says_what_gatehouse_knows(client_as):
    page = Page(client_as("lead").get("/profile"))
    assert "Groups data, data-leads" in page.text
    assert "Roles in Gatehouse approver, employee" in page.text


def test_every_scope_has_words():
    assert set(SCOPE_WORDS) == set(tokens.SCOPES)


def test_preferences_are_kept_and_shown_by_the_page_itself(client_as, employee):
    client = client_as("employee")
    response = client.post("/profile", {"timezone": "Asia/Seoul", "theme": "dark"}, follow=True)
    employee.refresh_from_db()
    assert (employee.timezone, employee.theme, employee.shortcuts) == ("Asia/Seoul", "dark", False)
    html = response.content.decode()
    assert '<html lang="en-GB" data-theme="dark">' in html
    assert 'data-shortcuts="off"' in html


def test_what_is_not_offered_is_not_kept(client_as, employee):
    response = client_as("employee").post("/profile", {"timezone": "Mars/Olympus", "theme": "pink"})
    assert response.status_code == 422
    employee.refresh_from_db()
    assert (employee.timezone, employee.theme) == ("", "")


def test_a_form_cannot_change_anything_else_of_a_person(client_as, employee):
    client_as("employee").post("/profile", {"theme": "dark", "is_superuser": "on", "username": "root"})
    employee.refresh_from_db()
    assert (employee.is_superuser, employee.username) == (False, "employee")


def test_a_token_is_shown_once_and_works(client_as):
    client = client_as("employee")
    response = client.post("/profile/tokens", {"name": "export", "scopes": ["read"], "days": "7", "password": PASSWORD})
    code = Page(response).text.partition("shown only once. ")[2].partition(" ")[0]
    assert tokens.authenticate(code) == Token.objects.get()
    assert "no-store" in response["Cache-Control"]
    assert code not in client.get("/profile").content.decode()


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [("name", "", 422), ("days", "0", 422), ("days", "soon", 422), ("scopes", [], 422), ("scopes", ["decide"], 422)],
)
def test_mistakes_are_said_and_nothing_is_made(client_as, field, value, status):
    fields = {"name": "export", "scopes": ["read"], "days": "7", "password": PASSWORD, field: value}
    response = client_as("employee").post("/profile/tokens", fields)
    assert response.status_code == status
    assert "Check what you entered" in Page(response).text
    assert not Token.objects.exists()


def test_only_scopes_of_ones_own_roles_are_offered(client_as):
    offered = lambda who: [given["value"] for given in Page(client_as(who).get("/profile")).all("input", name="scopes")]  # noqa: E731
    assert offered("employee") == ["read", "request", "operate"]
    assert offered("lead") == ["read", "request", "decide", "operate"]
    assert offered("auditor") == ["read", "request", "operate", "audit"]


def test_revoking_ones_own_and_nobody_elses(client_as, employee):
    token, plaintext = tokens.create(by=employee, name="export", scopes=["read"], days=7, password=PASSWORD)
    assert client_as("lead").post(f"/profile/tokens/{token.pk}/revoke").status_code == 404
    assert tokens.authenticate(plaintext)
    response = client_as("employee").post(f"/profile/tokens/{token.pk}/revoke", follow=True)
    assert "“export” is revoked." in Page(response).text
    assert tokens.authenticate(plaintext) is None
    assert client_as("employee").post(f"/profile/tokens/{token.pk}/revoke").status_code == 409
    assert client_as("employee").post("/profile/tokens/x/revoke").status_code == 404
