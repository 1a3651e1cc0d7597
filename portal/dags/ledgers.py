"""What the trail says of runs: who asked for which run, with what. What became of it Airflow says, again and again."""

from __future__ import annotations

import json

from portal.audit.compare import Columns, Ledger, LedgerEvent, nothing
from portal.audit.verbs import Verb
from portal.core import refs
from portal.dags.models import Run

BECAME = (Verb.RUN_STARTED, Verb.RUN_START_FAILED, Verb.RUN_FINISHED, Verb.RUN_CHANGED, Verb.RUN_DELETED)


def _requested(told: LedgerEvent) -> Columns:
    said = {name: told.detail[name] for name in ("dag", "dag_run_id", "note")}
    return {
        **said,
        "status": "requested",
        "conf": json.loads(told.detail["conf"]),
        "requested_by": told.event.actor,
        "deployment": told.event.deployment,
    }


RUNS = Ledger(
    model=Run,
    rows=lambda: Run.objects.select_related("dag__deployment", "requested_by"),
    prefix=refs.RUN,
    shown={
        "dag": lambda row: row.dag.dag_id,
        "deployment": lambda row: row.dag.deployment.name,
        "dag_run_id": lambda row: row.dag_run_id,
        "requested_by": lambda row: row.requested_by.username,
        "note": lambda row: row.note,
        "conf": lambda row: row.conf,
    },
    makes={
        Verb.RUN_REQUESTED: _requested,
        **dict.fromkeys(BECAME, nothing),
    },
    begins=frozenset({Verb.RUN_REQUESTED}),
    next={"": frozenset({Verb.RUN_REQUESTED}), "requested": frozenset(BECAME)},
    not_compared={
        "id": "names the row",
        "operation": "found by it",
        "logical_date": "the time of its event, but for a moment",
        "created_at": "the time of its event, but for a moment",
        "sealed": "encrypted, and gone once the run is started",
        "digest": "of secrets, which the trail does not hold",
        "key": "of the form it was asked with",
        "status": "as Airflow says",
        "started_at": "as Airflow says",
        "ended_at": "as Airflow says",
        "seen_at": "of the worker",
        "next_look": "of the worker",
        "wanted_until": "of the worker",
        "gone_at": "as Airflow says",
        "remark": "as Airflow says",
        "error": "as Airflow says",
    },
)
