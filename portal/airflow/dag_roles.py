"""The names of the Airflow roles that give access to one DAG.

Such a role is created with all its permissions and never edited afterwards. Its permissions are therefore part of the
hash in its name: a later release that needs other permissions creates a new role.
"""

from __future__ import annotations

import hashlib

from airflow_bridge.dag_roles import dag_permissions
from portal.catalogue.values import OWN_PREFIX

LONGEST = 64  # characters of a role's name in Airflow's own table


def dag_role_name(dag_id: str, level: str) -> str:
    """`gatehouse_<level>_<DAG id, shortened>_<8 hex digits of a hash>`, at most 64 characters."""
    stem = f"{OWN_PREFIX}{level}_"
    held = "\n".join(f"{action} {resource}" for action, resource in sorted(dag_permissions(dag_id, level)))
    mark = hashlib.sha256(f"{level}\n{dag_id}\n{held}".encode()).hexdigest()[:8]
    return f"{stem}{dag_id[: LONGEST - len(stem) - len(mark) - 1]}_{mark}"
