"""Session keys: the browser has the key, the database its digest."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DjangosStore
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.sessions import SessionStore, stored

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def signed_in(key):
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = key
    return client.get("/profile").status_code == 200


@pytest.fixture
def key(cast, client):
    client.force_login(cast["employee"])
    return client.session.session_key


def test_the_database_contains_no_usable_session_key(key):
    row = Session.objects.get()
    assert row.session_key == stored(key) != key
    assert signed_in(key)
    assert not signed_in(row.session_key)


def test_signing_out_ends_the_session(key, client):
    client.logout()
    assert not Session.objects.exists()
    assert not signed_in(key)


def test_a_session_is_changed_under_its_key(key):
    store = SessionStore(key)
    store["n"] = 1
    store.save()
    assert (SessionStore(key)["n"], Session.objects.count(), store.exists(key)) == (1, 1, True)
    store.cycle_key()
    assert not SessionStore(key).load()
    assert SessionStore(store.session_key)["n"] == 1


def test_sessions_of_an_earlier_release_are_invalid(cast):
    old = DjangosStore()
    old["_auth_user_id"] = str(cast["employee"].pk)
    old.save()
    assert not signed_in(old.session_key)
    assert SessionStore(old.session_key).load() == {}
