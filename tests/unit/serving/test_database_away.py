"""A database whose connection is lost: what is asked before the processes start, and at the command line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, InterfaceError, connection

from portal.serving import child_env, config_checks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True, params=[DatabaseError("away"), InterfaceError("connection already closed")])
def _away(request: pytest.FixtureRequest, db: None) -> Iterator[None]:
    def fail(*args: object) -> None:
        raise request.param

    with connection.execute_wrapper(fail):
        yield


def test_the_variables_of_the_file_are_handed_on(settings: pytest.FixtureRequest) -> None:
    settings.CONFIG_FILE = settings.BASE_DIR / "demo" / "gatehouse.toml"
    assert child_env.runner_variables() == {"AIRFLOW_DEMO_RUNS"}


def test_the_check_of_the_database_says_so() -> None:
    result = config_checks.database()
    assert not result.ok and "it does not answer" in result.said
