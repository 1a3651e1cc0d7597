"""A library that speaks to Airflow: people's roles, DAGs and runs, the same way for Airflow 2 and 3.

from airflow_bridge import PasswordAuth, connect

airflow = connect(name="prod", url="https://airflow.example.com", api="v2", auth=PasswordAuth("gatehouse", "..."))
airflow.set_roles("alice", ["Viewer", "Op"])
"""

from airflow_bridge.airflow import Airflow
from airflow_bridge.auth import (
    BasicAuth,
    Credentials,
    GoogleAuth,
    MwaaAuth,
    OAuth2Auth,
    PasswordAuth,
    TokenAuth,
)
from airflow_bridge.client import connect, find_api
from airflow_bridge.dag_roles import dag_permissions
from airflow_bridge.errors import (
    BridgeError,
    Conflict,
    Forbidden,
    NotApplied,
    NotFinished,
    NotFound,
    NotParsed,
    Overruled,
    RateLimited,
    Rejected,
    TimedOut,
    TooLarge,
    Unauthorised,
    Unexpected,
    Unreachable,
    Unsupported,
)
from airflow_bridge.types import (
    Backfill,
    Capabilities,
    Component,
    Dag,
    HumanTask,
    ImportError_,
    LogLine,
    LogPart,
    Param,
    Permission,
    RateLimit,
    Role,
    Run,
    TaskInstance,
    User,
    Variable,
    XCom,
)

__all__ = [
    "Airflow",
    "Backfill",
    "BasicAuth",
    "BridgeError",
    "Capabilities",
    "Component",
    "Conflict",
    "Credentials",
    "Dag",
    "Forbidden",
    "GoogleAuth",
    "HumanTask",
    "ImportError_",
    "LogLine",
    "LogPart",
    "MwaaAuth",
    "NotApplied",
    "NotFinished",
    "NotFound",
    "NotParsed",
    "OAuth2Auth",
    "Overruled",
    "Param",
    "PasswordAuth",
    "Permission",
    "RateLimit",
    "RateLimited",
    "Rejected",
    "Role",
    "Run",
    "TaskInstance",
    "TimedOut",
    "TokenAuth",
    "TooLarge",
    "Unauthorised",
    "Unexpected",
    "Unreachable",
    "Unsupported",
    "User",
    "Variable",
    "XCom",
    "connect",
    "dag_permissions",
    "find_api",
]
