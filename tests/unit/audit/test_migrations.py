"""Events that were written before there was a column to search get theirs, and keep their guards."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from portal.audit.models import AuditEvent
from portal.audit.verify import verify
from tests import trail

pytestmark = pytest.mark.django_db
migration = import_module("portal.audit.migrations.0003_search_text")


def test_old_events_are_made_searchable(ten_events: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "BATCH", 3)
    with trail.triggers_off():
        AuditEvent.objects.update(search_text="")
        AuditEvent.objects.filter(seq=7).update(payload="{")
        migration.fill(apps, SimpleNamespace(connection=connection))
    assert "number 10" in AuditEvent.objects.get(seq=10).search_text
    assert AuditEvent.objects.get(seq=7).search_text == ""
    assert {words.split()[-1] for words in verify().problems} == {"JSON.", "text."}, "event 7 alone, and its text alone"
