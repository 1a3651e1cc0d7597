from __future__ import annotations

import pytest

from tests.fake_airflow import FakeAirflow


@pytest.fixture
def member(airflow: FakeAirflow) -> FakeAirflow:
    """employee has an account in Airflow already, with a role the portal does not manage."""
    airflow.add_user("employee", roles=["Public"])
    return airflow
