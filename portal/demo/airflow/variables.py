"""The variables of the demo's Airflow, which its DAG sales_report reads."""

from __future__ import annotations

from portal.airflow.bridge import PasswordAuth, connect
from portal.demo.airflow.accounts import Server

FIRST = {"report_mode": "full", "report_days": "7"}


def ensure_variables(server: Server, *, api: str = "v2") -> None:
    """Create the missing variables; existing ones keep their value. Raises BridgeError if Airflow refuses."""
    admin = connect(name=server.url, url=server.url, api=api, auth=PasswordAuth(*server.admin), timeout=30)
    try:
        for key, value in FIRST.items():
            if admin.variable(key) is None:
                admin.set_variable(key, value)
    finally:
        admin.close()
