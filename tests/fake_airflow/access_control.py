"""What Airflow does about permissions on a DAG whenever it reads the DAG's file.

Where the file says `access_control`, it has the last word: what the API gave to other roles is taken away again.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_bridge.types import Permission
from tests.fake_airflow.permissions import of_dag
from tests.fake_airflow.rows import FakeDag
from tests.fake_airflow.state import State

PREFIXES = {"DAGs": "DAG:", "DAG Runs": "DAG Run:"}


def parse(state: State, *, changed: Iterable[str] = ()) -> None:
    """changed: DAGs whose files have changed; Airflow 2 looks at permissions only then. New DAGs have."""
    new = {dag.dag_id for dag in state.dags.values() if not dag.parsed}
    for dag in state.dags.values():
        dag.parsed = True
    always = state.release.api == "v2"
    looked_at = [dag for dag in state.dags.values() if always or dag.dag_id in new.union(changed)]
    for dag in looked_at:
        missing = _missing_role(state, dag)
        if missing and always:
            state.import_errors[dag.filename] = (
                f"The access_control mapping for DAG '{dag.dag_id}' includes a role named '{missing}', "
                "but that role does not exist"
            )
        elif not missing:
            _apply(state, dag)
    if always:
        _mark(state, looked_at)


def _missing_role(state: State, dag: FakeDag) -> str:
    return next((role for role in dag.access_control or {} if role not in state.roles), "")


def _apply(state: State, dag: FakeDag) -> None:
    if dag.access_control is None:
        return
    about_it = {resource for _, resource in of_dag(dag.dag_id)}
    for role in state.roles.values():
        if role.name == "Admin":
            continue
        kept: set[Permission] = {pair for pair in role.permissions if pair[1] not in about_it}
        said = dag.access_control.get(role.name, set())
        role.permissions = kept | {(action, f"{PREFIXES[on]}{dag.dag_id}") for action, on in said}


def _mark(state: State, dags: list[FakeDag]) -> None:
    """One such DAG takes all of its file out of service, until the role is there again."""
    wrong = {dag.filename for dag in dags if _missing_role(state, dag)}
    for dag in dags:
        if dag.filename in wrong:
            dag.stale = dag.import_errors = True
        elif "access_control" in state.import_errors.get(dag.filename, ""):
            dag.stale = dag.import_errors = False
    for filename, words in list(state.import_errors.items()):
        if "access_control" in words and filename not in wrong:
            del state.import_errors[filename]
