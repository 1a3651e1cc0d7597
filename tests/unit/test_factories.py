"""The helpers themselves bring things to every status there is, by the real actions and the real worker."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import transaction
from django.db.models import DateTimeField

from portal.access.models import AccessRequest, Grant
from portal.audit.models import AuditEvent
from portal.audit.verify import verify
from tests.factories import SECRETS, grant_at_status, look_at_all, look_at_dags, offer, read_lists, request_at_status
from tests.stored import Found, Offered


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


def stored(folder):
    """All rows without their numbers and moments, and the file of the catalogue."""
    changing = ("payload", "prev", "leaf", "chain", "search_text")  # with the moment and the salt of an event
    rows = []
    for model in apps.get_models():
        kept = [
            one.attname
            for one in model._meta.concrete_fields
            if not one.is_relation and not one.primary_key and not isinstance(one, DateTimeField)
        ]
        rows += [(model, row) for row in model._default_manager.order_by("pk").values(*kept)]
    told = [(event.verb, event.target, event.actor, event.detail, event.about) for event in AuditEvent.objects.all()]
    rows = [(model, {name: value for name, value in row.items() if name not in changing}) for model, row in rows]
    return rows, told, (folder / "gatehouse.toml").read_text()


def test_what_is_stored_again_is_what_was_stored_at_first(cast, fake, tmp_path, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    empty = transaction.savepoint()
    offer(tmp_path, url="http://127.0.0.1:1", api=fake.release.api)
    offered = Offered.now("http://127.0.0.1:1")
    transaction.savepoint_rollback(empty)
    offer(tmp_path, url=fake.url, api=fake.release.api)
    applied = stored(tmp_path)
    look_at_all()
    look_at_dags()
    read_lists()
    looked_at, found = stored(tmp_path), Found.now()
    transaction.savepoint_rollback(empty)
    offered.store(tmp_path, fake.url)
    assert stored(tmp_path) == applied
    found.store()
    assert stored(tmp_path) == looked_at
    assert verify().problems == []
