"""A real Airflow for the demo and for the contract tests."""

from portal.demo.airflow.accounts import ensure_service_accounts
from portal.demo.airflow.environment import NotInstalled, ensure_environment
from portal.demo.airflow.releases import AIRFLOW_3, RELEASES, Release
from portal.demo.airflow.server import AirflowNotUp, AirflowServer
from portal.demo.airflow.variables import ensure_variables

__all__ = [
    "AIRFLOW_3",
    "RELEASES",
    "AirflowNotUp",
    "AirflowServer",
    "NotInstalled",
    "Release",
    "ensure_environment",
    "ensure_service_accounts",
    "ensure_variables",
]
