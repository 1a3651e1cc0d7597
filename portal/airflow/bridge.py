"""The types and errors of `airflow_bridge` for other rooms, which import them only from here."""

from airflow_bridge import (
    Airflow,
    BridgeError,
    Conflict,
    Forbidden,
    HumanTask,
    ImportError_,
    LogLine,
    NotFound,
    NotParsed,
    PasswordAuth,
    Permission,
    RateLimited,
    Rejected,
    Role,
    TimedOut,
    TooLarge,
    Unauthorised,
    Unexpected,
    Unreachable,
    Unsupported,
    Variable,
    connect,
    dag_permissions,
)
from airflow_bridge import Dag as AirflowDag
from airflow_bridge import Param as AirflowParam
from airflow_bridge import Run as AirflowRun
from airflow_bridge import TaskInstance as AirflowTask
from airflow_bridge import User as AirflowUser
from airflow_bridge.dag_roles import is_complete

__all__ = [
    "Airflow",
    "AirflowDag",
    "AirflowParam",
    "AirflowRun",
    "AirflowTask",
    "AirflowUser",
    "BridgeError",
    "Conflict",
    "Forbidden",
    "HumanTask",
    "ImportError_",
    "LogLine",
    "NotFound",
    "NotParsed",
    "PasswordAuth",
    "Permission",
    "RateLimited",
    "Rejected",
    "Role",
    "TimedOut",
    "TooLarge",
    "Unauthorised",
    "Unexpected",
    "Unreachable",
    "Unsupported",
    "Variable",
    "connect",
    "dag_permissions",
    "is_complete",
]
