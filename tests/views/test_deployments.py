"""Deployments: how each is, with which accounts, and what waits for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.catalogue.models import Deployment
from tests.factories import SECRETS, observe, request_at_status
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")


@pytest.mark.parametrize(("who", "status"), [("admin", 200), ("auditor", 200), ("lead", 403), ("employee", 403)])
def test_who_may_see_them(client_as, who, status):
    assert client_as(who).get("/deployments").status_code == status


def test_each_by_name_version_and_accounts_but_no_secret(client_as):
    response = client_as("admin").get("/deployments")
    page = Page(response)
    for words in ("demo", "up", "3.3.2", "Airflow 3, API v2", "gatehouse-access", "gatehouse-runs"):
        assert words in page.text
    assert "No open operations" in page.text
    for name, value in SECRETS.items():
        assert name not in response.content.decode()
        assert value not in response.content.decode()


def test_what_waits_for_one_that_is_away(client_as):
    observe(status="down", status_since=timezone.now(), status_detail="Connection refused")
    made = request_at_status("approved")
    page = Page(client_as("admin").get("/deployments"))
    assert "Airflow on demo is unreachable since today" in page.text
    assert "Connection refused" in page.text
    assert "1 open operation" in page.text
    assert "give a role" in page.text
    assert made.grant.ref in page.text


def test_without_any_it_says_how_to_connect_one(client_as):
    Deployment.objects.update(retired_at=timezone.now())
    assert "No deployment is connected yet" in Page(client_as("admin").get("/deployments")).text


FOUND = {
    "auth_manager": "FAB",
    "examined_at": timezone.now(),
    "health": {"metadatabase": "healthy", "scheduler": "unhealthy", "dag_processor": ""},
    "rate_limits": {"granter": {"limit": 100, "remaining": 40, "reset": 9.0}, "runner": None},
    "granter_lacks": [["can_create on Roles", "make the roles for access to single DAGs"]],
    "runner_lacks": [],
    "missing": {"role_edits": "this FAB provider cannot"},
}


def test_nothing_is_called_healthy_while_it_is_unreachable(client_as):
    observe(**FOUND, status="down", status_since=timezone.now())
    text = Page(client_as("admin").get("/deployments")).text
    assert "unknown while Airflow is unreachable" in text
    assert "healthy" not in text


def test_what_was_found_there(client_as):
    observe(**FOUND)
    page = Page(client_as("admin").get("/deployments"))
    for words in (
        "FAB auth manager",
        "scheduler unhealthy",
        "dag processor not reported",
        "granter: 40 calls left of 100, reset in 9 s",
        "is missing permissions in Airflow can_create on Roles to make the roles for access to single DAGs",
        "has every permission it needs",
        "Changing and deleting roles this FAB provider cannot",
        "task logs",
    ):
        assert words in page.text, page.text


def test_an_admin_is_told_everywhere_that_an_account_is_refused(client_as):
    """The others are told that what they ask for waits; only an admin can do something about it."""
    observe(status="needs_reauthentication", status_since=timezone.now(), status_detail="demo was asked to sign in")
    home = client_as("admin").get("/").content.decode()
    assert 'data-count="deployment_list"' in home
    page = Page(client_as("admin").get("/deployments"))
    assert "refuses Gatehouse's account" in page.text
    assert "demo was asked to sign in" in page.text
    assert "Restore the account's password and role in Airflow" in page.text
    assert 'data-count="deployment_list"' not in client_as("employee").get("/").content.decode()
    assert "refuses Gatehouse's account" in Page(client_as("employee").get("/")).text


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ("runner", ("refuses Gatehouse's account for runs since", "Runs and pauses must wait until an admin")),
        ("granter", ("refuses Gatehouse's account for access since", "Requested access must wait until an admin")),
    ],
)
def test_which_account_is_refused_is_said(client_as, refused, said):
    """Of the other it is still said what it lacks."""
    others = {"granter_refused": refused == "granter", "runner_refused": refused == "runner"}
    observe(status="needs_reauthentication", granter_lacks=[], runner_lacks=[], **others)
    page = Page(client_as("admin").get("/deployments"))
    for words in said:
        assert words in page.text
    assert page.text.count("sign-in refused") == 1
    assert page.text.count("has every permission it needs") == 1
    place = page.text.index("sign-in refused")
    assert ("Runner" in page.text[:place]) is (refused == "runner")


def test_until_when_an_airflow_wants_to_be_left_alone(client_as):
    until = timezone.now() + timedelta(minutes=5)
    observe(asks_to_wait=True, waits_until=until)
    assert "Airflow accepts no calls until" in Page(client_as("admin").get("/deployments")).text
    observe(waits_until=until - timedelta(hours=1))
    assert "Airflow accepts no calls until" not in Page(client_as("admin").get("/deployments")).text
