"""The helpers themselves bring things to every status there is, by the real actions and the real worker."""

from __future__ import annotations

import pytest

from portal.access.models import AccessRequest, Grant
from tests.factories import grant_at_status, request_at_status


@pytest.mark.parametrize("status", AccessRequest.Status.values)
@pytest.mark.parametrize("entitlement", ["demo/role/User", "demo/role/Op"])
def test_a_request_at_every_status(catalogue, status, entitlement):
    assert request_at_status(status, entitlement=entitlement).status == status


@pytest.mark.parametrize("status", [value for value in Grant.Status.values if value != "failed"])
@pytest.mark.parametrize("ended", ["handed_back", "revoked", "expired"])
def test_a_grant_at_every_status(airflow, status, ended):
    assert grant_at_status(status, ended=ended).status == status
    if status == "active":
        assert "User" in airflow.roles_of("employee")
    if status == "ended":
        assert "User" not in airflow.roles_of("employee")


def test_a_grant_that_failed(airflow):
    airflow.add_user("employee", email="somebody.else@example.com")
    assert "e-mail" in grant_at_status("failed").failure
