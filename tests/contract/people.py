"""Users that no other test knows."""

from __future__ import annotations

from airflow_bridge import Airflow, User
from tests.real_airflow import unique


def create(airflow: Airflow, **changes: object) -> User:
    name = unique("made")
    person = {
        "username": name,
        "email": f"{name}@example.com",
        "first_name": "A",
        "last_name": "B",
        "password": "x" * 32,
        "roles": ["Viewer"],
    }
    return airflow.create_user(**{**person, **changes})
