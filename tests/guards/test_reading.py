"""A GET changes nothing and calls no Airflow. Checked for every page, every API call and every person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts import tokens
from portal.airflow.models import DeploymentState
from portal.api.views import RECORDED
from portal.dags.models import DagState
from portal.operations.models import Operation
from tests.api.conftest import Program
from tests.api.test_everybody import EXPECTED
from tests.factories import NAMES, PASSWORD, person
from tests.fake_airflow import FakeAirflow
from tests.guards.addresses import PAGES
from tests.guards.world import url_of, world

WRITE = re.compile(r"\s*(?:INSERT(?:\s+OR\s+\w+)?\s+INTO|UPDATE|DELETE\s+FROM|REPLACE\s+INTO)\s+\"?(\w+)", re.I)
OF_THE_CALLER = {"django_session", "accounts_token", "accounts_ratecount"}
"""Tables about the caller: sessions, the last use of a token, the number of calls per minute."""
EXPORTS = {"audit_export"}
"""An export is recorded as an event. For the API, `portal.api.views.RECORDED` names such calls."""
POLLED = {"run_detail", "dag_detail"}
"""Pages that reload a part of themselves while they are open."""


@contextmanager
def writes() -> Iterator[list[str]]:
    """The tables that are written inside the block, without OF_THE_CALLER."""
    found: list[str] = []

    def note(execute, sql, params, many, context):
        if (written := WRITE.match(sql)) and written[1] not in OF_THE_CALLER:
            found.append(written[1])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found


def read_whole(response) -> int:
    for _ in response.streaming_content if response.streaming else ():
        pass
    return response.status_code


@pytest.fixture(params=["known", "long ago", "not known", "down"])
def things(request, airflow, cast):
    """The world, with a state of Airflow that is recent, old, unknown or down."""
    made = world(cast)
    made["operation"] = [Operation.objects.filter(subject=made["grant"][0]).get().ref]
    if request.param == "long ago":
        old = timezone.now() - timedelta(hours=1)
        DagState.objects.update(seen_at=old)
        DeploymentState.objects.update(checked_at=old)
    elif request.param == "not known":
        DagState.objects.all().delete()
        DeploymentState.objects.all().delete()
    elif request.param == "down":
        DeploymentState.objects.update(status="down", status_since=timezone.now())
    return made


def test_no_page_writes_or_calls_airflow(airflow: FakeAirflow, things, client_as):
    before, seen = len(airflow.requests), set()
    for name, page in PAGES.items():
        if not page.get or name in EXPORTS:
            continue
        for who in sorted(page.let_in() & page.sees):
            client, url = client_as(who), url_of(name, page.of, things)
            for headers in ({}, {"HX-Request": "true"}) if name in POLLED else ({},):
                with writes() as written, transaction.atomic():
                    status = read_whole(client.get(url + page.query, headers=headers))
                assert not written, f"{who} at {name}"
                seen.add(status)
    assert len(airflow.requests) == before
    assert 200 in seen and not {status for status in seen if status >= 500} - {503}  # not ready: no worker runs here


def test_no_call_of_the_api_writes_or_calls_airflow(airflow: FakeAirflow, things):
    programs = {}
    for name in NAMES:
        user = person(name)
        scopes = tokens.allowed_scopes(user)
        programs[name] = Program(tokens.create(by=user, name="x", scopes=scopes, days=1, password=PASSWORD)[1])
    before = len(airflow.requests)
    for (method, path), call in EXPECTED.items():
        if method != "GET" or path.endswith(RECORDED):
            continue
        values = iter(things[call.things])
        url = re.sub(r"\{\w+\}", lambda _, values=values: next(values), path.replace("{task_id}", "publish"))
        for name in sorted(call.may):
            with writes() as written:
                status = read_whole(programs[name].get(url))
            assert (status, written) == (200, []), f"{name} at {path}"
    assert len(airflow.requests) == before


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ('INSERT INTO "audit_auditevent" ("seq") VALUES (1)', "audit_auditevent"),
        ('INSERT OR IGNORE INTO "dags_run" VALUES (1)', "dags_run"),
        ('UPDATE "dags_run" SET "status" = 1', "dags_run"),
        ('DELETE FROM "dags_run"', "dags_run"),
    ],
)
def test_the_guard_sees_writes(sql, table):
    assert WRITE.match(sql)[1] == table


def test_the_guard_leaves_reads_alone():
    assert not WRITE.match('SELECT "UPDATE" FROM "dags_run"')
