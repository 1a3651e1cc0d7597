"""The Airflow roles that give access to one DAG: their names and what they hold (airflow.md, section 5).

Such a role is created once, complete, and never edited afterwards. What it holds is therefore part of its name's hash:
a later Gatehouse that needs more makes a new role instead of finding an old one incomplete.
"""

from __future__ import annotations

import hashlib

from portal.catalogue.values import OWN_PREFIX

LONGEST = 64  # characters of a role's name in Airflow's own table

_VIEW = {
    ("can_read", "Website"),
    ("can_read", "DAG Runs"),
    ("can_read", "Task Instances"),
    ("can_read", "Task Logs"),
    ("menu_access", "DAGs"),
}


def dag_role_permissions(dag_id: str, level: str) -> frozenset[tuple[str, str]]:
    """(action, resource) pairs of the role for `level` ("view" or "operate") on one DAG.

    `DAG Runs`, `Task Instances` and `Task Logs` are Airflow's switches for all DAGs, but show nothing of a DAG that the
    person may not read. Operating takes `can_edit` on the DAG, which in Airflow is running and pausing at once.
    """
    pairs = _VIEW | {("can_read", f"DAG:{dag_id}"), ("can_read", f"DAG Run:{dag_id}")}
    if level == "operate":
        pairs |= {("can_edit", f"DAG:{dag_id}"), ("can_create", f"DAG Run:{dag_id}")}
    return frozenset(pairs)


def dag_role_name(dag_id: str, level: str) -> str:
    """`gatehouse_<level>_<dag id, cut>_<8 hex digits of the whole>`, at most 64 characters."""
    stem = f"{OWN_PREFIX}{level}_"
    held = "\n".join(f"{action} {resource}" for action, resource in sorted(dag_role_permissions(dag_id, level)))
    mark = hashlib.sha256(f"{level}\n{dag_id}\n{held}".encode()).hexdigest()[:8]
    return f"{stem}{dag_id[: LONGEST - len(stem) - len(mark) - 1]}_{mark}"
