"""Runs that people requested in the portal, and the last known state of DAGs and variables."""

from portal.dags.models.dag_states import DagState, WaitingTask
from portal.dags.models.permits import Permit
from portal.dags.models.requests import PermitRequest, RunRequest
from portal.dags.models.runs import Run, RunNotice
from portal.dags.models.tasks import RunTasks, TaskLog, TaskLogPart
from portal.dags.models.variables import VariableRequest, VariableState

__all__ = [
    "DagState",
    "Permit",
    "PermitRequest",
    "Run",
    "RunNotice",
    "RunRequest",
    "RunTasks",
    "TaskLog",
    "TaskLogPart",
    "VariableRequest",
    "VariableState",
    "WaitingTask",
]
