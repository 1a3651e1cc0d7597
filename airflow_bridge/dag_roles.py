"""What a role must permit for access to one DAG, the same on Airflow 2 and 3."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from airflow_bridge.types import Permission, Role

GIVEN_BY_AIRFLOW: frozenset[Permission] = frozenset({("can_read", "Website")})
"""To every role that is not its own, at each start."""

_VIEW: frozenset[Permission] = frozenset(
    {
        ("can_read", "Website"),
        ("can_read", "DAG Runs"),
        ("can_read", "Task Instances"),
        ("can_read", "Task Logs"),
        ("menu_access", "DAGs"),
    }
)


def dag_permissions(dag_id: str, level: Literal["view", "operate"] | str) -> frozenset[Permission]:
    """The pairs of a role for one DAG: "view", or "operate", which is running and pausing at once.

    `DAG Runs`, `Task Instances` and `Task Logs` are Airflow's switches for all DAGs, but show nothing of a DAG that the
    person may not read. Running needs `can_edit` on the DAG, which in Airflow allows pausing too.
    """
    pairs = _VIEW | {("can_read", f"DAG:{dag_id}"), ("can_read", f"DAG Run:{dag_id}")}
    if level == "operate":
        pairs |= {("can_edit", f"DAG:{dag_id}"), ("can_create", f"DAG Run:{dag_id}")}
    return pairs


def is_complete(role: Role, permissions: Iterable[Permission]) -> bool:
    """Whether a role permits what it should, and no more."""
    wanted = frozenset(permissions)
    return wanted <= role.permissions <= wanted | GIVEN_BY_AIRFLOW
