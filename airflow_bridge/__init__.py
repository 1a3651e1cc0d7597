"""A small library that speaks to Airflow: people's roles, DAGs and runs, the same way for every release it knows.

from airflow_bridge import PasswordAuth, connect

airflow = connect(name="prod", url="https://airflow.example.com", api="v2", auth=PasswordAuth("gatehouse", "..."))
airflow.set_roles("alice", ["Viewer", "Op"])
"""

from airflow_bridge.auth import Credentials, PasswordAuth, TokenAuth
from airflow_bridge.client import Airflow, connect
from airflow_bridge.errors import (
    BridgeError,
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthorised,
    Unexpected,
    Unreachable,
    Unsupported,
)
from airflow_bridge.types import Dag, Param, Permission, Role, Run, TaskInstance, User

__all__ = [
    "Airflow",
    "BridgeError",
    "Conflict",
    "Credentials",
    "Dag",
    "Forbidden",
    "NotFound",
    "Param",
    "PasswordAuth",
    "Permission",
    "RateLimited",
    "Rejected",
    "Role",
    "Run",
    "TaskInstance",
    "TimedOut",
    "TokenAuth",
    "Unauthorised",
    "Unexpected",
    "Unreachable",
    "Unsupported",
    "User",
    "connect",
]
