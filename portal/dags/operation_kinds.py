"""The operation kinds of runs, pauses and variables, for the executor."""

from __future__ import annotations

from accounts.models import User
from portal.audit.verbs import Verb
from portal.catalogue import airflows
from portal.catalogue.models import Dag, Deployment
from portal.core import refs
from portal.dags import operation_names as names
from portal.dags.models import Run
from portal.dags.pauses.pause_handler import SetPaused
from portal.dags.queries import dag_for, run_for
from portal.dags.runs.run_handlers import CancelRun, ChangeRun, ClearTasks, RetryRun
from portal.dags.runs.start_handler import TriggerRun
from portal.dags.variables.offered import find_for
from portal.dags.variables.variable_handler import SetVariable
from portal.operations.kinds import Kind
from portal.operations.models import Operation


def _of_dag(dag: Dag) -> str:
    return f"dag/{airflows.key(dag.deployment)}/{dag.dag_id}"


def _of_variable(about: tuple[Deployment, str]) -> str:
    deployment, key = about
    return f"variable/{airflows.key(deployment)}/{key}"


def _of_run(run: Run) -> str:
    return f"run/{run.pk}"


def _check_can_see_run(user: User, operation: Operation) -> None:
    run_for(user, refs.parse(refs.RUN, operation.subject))


def _check_can_see_dag(user: User, operation: Operation) -> None:
    deployment, _, dag_id = operation.subject.partition("/")
    dag_for(user, deployment, dag_id)


def _check_can_see_variable(user: User, operation: Operation) -> None:
    deployment, _, key = operation.subject.partition("/variable/")
    find_for(user, deployment, key)


def _switch(name: str, label: str, *, paused: bool) -> Kind:
    return Kind(
        name,
        label,
        "runner",
        SetPaused(paused=paused),
        _of_dag,
        superseded=Verb.DAG_SWITCH_LEFT_OUT,
        check_can_see=_check_can_see_dag,
    )


def _change(name: str, label: str, handler: ChangeRun, superseded: Verb) -> Kind:
    return Kind(name, label, "runner", handler, _of_run, superseded=superseded, check_can_see=_check_can_see_run)


KINDS = (
    Kind(names.TRIGGER_RUN, "start a run", "runner", TriggerRun(), check_can_see=_check_can_see_run),
    _change(names.CANCEL_RUN, "cancel a run", CancelRun(), Verb.RUN_CANCEL_LEFT_OUT),
    _change(names.RETRY_RUN, "retry a run", RetryRun(), Verb.RUN_RETRY_LEFT_OUT),
    _change(names.CLEAR_TASK, "run tasks again", ClearTasks(), Verb.RUN_RETRY_LEFT_OUT),
    _switch(names.PAUSE_DAG, "pause a DAG", paused=True),
    _switch(names.UNPAUSE_DAG, "unpause a DAG", paused=False),
    Kind(
        names.SET_VARIABLE,
        "change a variable",
        "runner",
        SetVariable(),
        _of_variable,
        superseded=Verb.VARIABLE_CHANGE_LEFT_OUT,
        check_can_see=_check_can_see_variable,
    ),
)
