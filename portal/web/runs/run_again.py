"""“Run it again”: the form of a DAG is filled with the parameters and the note of an earlier run."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from portal.catalogue import airflows
from portal.catalogue.models import Dag
from portal.core import refs
from portal.core.errors import Missing
from portal.core.secrecy import marks
from portal.dags import queries
from portal.dags.models import Run
from portal.ui.request import Request


def asked_for(request: Request, dag: Dag) -> Run | None:
    """The run in `?again=RUN-5`, if it is a run of this DAG and the reader may see it."""
    return named(request.user, request.GET.get("again", ""), dag)


def named(user: User, ref: str, dag: Dag) -> Run | None:
    """The run with this reference, if it is a run of this DAG and `user` may see it.

    Runs from before the deployment was renamed count as runs of this DAG.
    """
    try:
        run = queries.run_for(user, refs.parse(refs.RUN, ref))
    except Missing:
        return None
    same = run.dag.dag_id == dag.dag_id and airflows.current(run.dag.deployment) == dag.deployment
    return run if same else None


def conf(run: Run) -> dict[str, Any]:
    """The parameters of the run, without those that contain secrets."""
    return {name: value for name, value in run.conf.items() if not _holds_secrets(value)}


def not_taken_over(run: Run) -> list[str]:
    """The names of parameters with secrets, which must be entered again. Fixed parameters are left out."""
    return sorted(name for name, value in run.conf.items() if _holds_secrets(value) and name not in run.dag.locked)


def _holds_secrets(value: Any) -> bool:
    return any(True for _ in marks(value))
