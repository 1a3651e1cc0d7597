"""Deployments: how each is, with which accounts, and what waits for it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from portal.catalogue.models import Deployment
from tests.factories import SECRETS, request_at_status
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
    assert "Nothing waits to be done here" in page.text
    for name, value in SECRETS.items():
        assert name not in response.content.decode()
        assert value not in response.content.decode()


def test_what_waits_for_one_that_is_away(client_as):
    Deployment.objects.update(status="down", status_since=timezone.now(), status_detail="Connection refused")
    made = request_at_status("approved")
    page = Page(client_as("admin").get("/deployments"))
    assert "Airflow on demo is unreachable since today" in page.text
    assert "Connection refused" in page.text
    assert "1 operation to be done here" in page.text
    assert "give a role" in page.text
    assert made.grant.ref in page.text


def test_without_any_it_says_how_to_connect_one(client_as):
    Deployment.objects.update(retired_at=timezone.now())
    assert "No deployment is connected yet" in Page(client_as("admin").get("/deployments")).text
