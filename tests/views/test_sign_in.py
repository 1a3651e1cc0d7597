"""Signing in and out, with the demo's people where it is the demo."""

import pytest

from tests.factories import PASSWORD
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("catalogue")


def test_the_page_is_a_form_that_needs_no_script(client_as):
    page = Page(client_as("").get("/login?next=/access"))
    assert page.actions == {"/login"}
    assert page.all("input", name="login")
    assert page.all("input", name="password")[0]["autocomplete"] == "current-password"
    assert page.all("input", name="next")[0]["value"] == "/access"


def test_signing_in_leads_to_where_one_was_going(client_as):
    client = client_as("")
    assert client.get("/access?show=past")["Location"] == "/login?next=%2Faccess%3Fshow%3Dpast"
    fields = {"login": "employee", "password": PASSWORD, "next": "/access?show=past"}
    assert client.post("/login", fields)["Location"] == "/access?show=past"


def test_never_to_another_site(client_as):
    fields = {"login": "employee", "password": PASSWORD, "next": "https://elsewhere.example.com/"}
    assert client_as("").post("/login", fields)["Location"] == "/"


@pytest.mark.parametrize(("name", "password"), [("employee", "wrong"), ("nobody", PASSWORD), ("", "")])
def test_a_refusal_says_the_same_whether_the_name_exists_or_not(client_as, name, password):
    page = Page(client_as("").post("/login", {"login": name, "password": password}))
    assert "You are not signed in" in page.text
    assert page.all("input", name="login")[0]["value"] == name


def test_too_many_attempts_are_stopped_with_a_page_that_says_for_how_long(client_as):
    client = client_as("")
    answers = [client.post("/login", {"login": f"x{n}", "password": "wrong"}) for n in range(11)]
    assert [response.status_code for response in answers] == [200] * 10 + [429]
    assert "Wait five minutes" in Page(answers[-1]).text


def test_somebody_who_left_is_told_so(client_as, employee):
    employee.is_active = False
    employee.save(update_fields=["is_active"])
    response = client_as("").post("/login", {"login": "employee", "password": PASSWORD}, follow=True)
    assert "_auth_user_id" not in response.client.session
    assert response.status_code == 200


def test_the_demos_people_are_offered_in_the_demo_alone(client_as, settings):
    plain = client_as("").get("/login")
    assert "This is a demo" not in Page(plain).text
    assert PASSWORD not in plain.content.decode()
    settings.DEMO = True
    page = Page(client_as("").get("/login"))
    offered = [given["value"] for given in page.all("input", type="hidden", name="login")]
    assert offered == ["employee", "colleague", "lead", "lead2", "security", "auditor", "admin"]


def test_one_click_signs_in(client_as, settings):
    settings.DEMO = True
    client = client_as("")
    page = Page(client.get("/login?next=/queue"))
    fields = {"login": "lead"} | {
        name: page.all("input", type="hidden", name=name)[0]["value"] for name in ("password", "next")
    }
    assert client.post("/login", fields)["Location"] == "/queue"


def test_signing_out_asks_first(client_as):
    client = client_as("employee")
    page = Page(client.get("/logout"))
    assert "/logout" in page.actions
    assert "_auth_user_id" in client.session
    assert client.post("/logout")["Location"] == "/login"
    assert "_auth_user_id" not in client.session
