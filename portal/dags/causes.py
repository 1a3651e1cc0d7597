"""The reason why a DAG cannot be run, as far as Gatehouse's account can read it from Airflow."""

from __future__ import annotations

from itertools import islice

from portal.airflow.bridge import Airflow, AirflowDag, BridgeError, Forbidden, ImportError_
from portal.catalogue.models import Dag
from portal.core import secrecy

MOST_ERRORS = 200  # import errors that are read
LONGEST = 200  # characters of an error message


def why_not(airflow: Airflow, dag: Dag, seen: AirflowDag | None) -> str:
    """In words, why `dag` cannot be run; empty if it can. seen: the DAG as Airflow shows it."""
    if seen is not None and not seen.has_import_errors:
        return seen.problem
    errors = _import_errors(airflow)
    if seen is not None:
        return f"{seen.problem} {_import_error_of(seen, errors)}"
    state = getattr(dag, "state", None)
    if state is not None and state.params is not None:
        return f"Airflow no longer has a DAG of this name.{_hint(dag, errors)}"
    return f"Airflow has no DAG of this name. It has not read the DAG's file yet, or there is none.{_hint(dag, errors)}"


def _import_errors(airflow: Airflow) -> list[ImportError_] | str:
    """The import errors; a text with the reason if they cannot be read."""
    try:
        return list(islice(airflow.import_errors(), MOST_ERRORS))
    except Forbidden:
        return "Gatehouse's account for runs may not read them (can_read on ImportError)."
    except BridgeError:
        return "They could not be read."


def _import_error_of(seen: AirflowDag, errors: list[ImportError_] | str) -> str:
    if isinstance(errors, str):
        return errors
    found = next((error for error in errors if error.file == seen.file), None)
    return f"The error: {_last_line(found)}" if found else "No run starts until they are fixed."


def _hint(dag: Dag, errors: list[ImportError_] | str) -> str:
    """A sentence on import errors that may be the reason. The file of a DAG that Airflow does not have is unknown."""
    if isinstance(errors, str) or not errors:
        return ""
    for error in errors:
        if dag.dag_id in error.file or dag.dag_id in error.message:
            return f" The file {error.file.rpartition('/')[2]} has import errors: {_last_line(error)}"
    files = f"{len(errors)} file{'s' if len(errors) > 1 else ''} of DAGs"
    return f" {files} cannot be imported; the DAG may be in one of them."


def _last_line(error: ImportError_) -> str:
    lines = error.message.strip().splitlines()
    said = lines[-1].strip() if lines else ""
    if not said or secrecy.holds_secret(said):
        return "the reason is in Airflow."
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}…"
