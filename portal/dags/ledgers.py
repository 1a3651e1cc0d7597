"""Runs in the audit trail, for verifying: who requested which run, with which parameters.

The later state of a run is not compared, because it is read from Airflow again and again.
"""

from __future__ import annotations

import json

from portal.audit.compare import Columns, Ledger, LedgerEvent, nothing
from portal.audit.verbs import Verb
from portal.core import refs
from portal.dags.models import Run

AFTER_REQUEST = (
    *(Verb.RUN_STARTED, Verb.RUN_START_FAILED, Verb.RUN_FINISHED, Verb.RUN_CHANGED, Verb.RUN_DELETED),
    *(Verb.RUN_CANCEL_REQUESTED, Verb.RUN_CANCELLED, Verb.RUN_CANCEL_FAILED, Verb.RUN_CANCEL_LEFT_OUT),
    *(Verb.RUN_RETRY_REQUESTED, Verb.RUN_RETRIED, Verb.RUN_RETRY_FAILED, Verb.RUN_RETRY_LEFT_OUT),
)


def _requested(recorded: LedgerEvent) -> Columns:
    said = {name: recorded.detail[name] for name in ("dag", "dag_run_id", "note")}
    return {
        **said,
        "status": "requested",
        "conf": json.loads(recorded.detail["conf"]),
        "requested_by": recorded.detail.get("requested_by", recorded.event.actor),
        "request": recorded.detail.get("request", ""),
        "permit": recorded.detail.get("permit", ""),
        "deployment": recorded.event.deployment,
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
        "request": lambda row: refs.ref(refs.REQUEST, row.request_id) if row.request_id else "",
        "permit": lambda row: refs.ref(refs.PERMIT, row.permit_id) if row.permit_id else "",
        "conf": lambda row: row.conf,
    },
    makes={
        Verb.RUN_REQUESTED: _requested,
        **dict.fromkeys(AFTER_REQUEST, nothing),
    },
    begins=frozenset({Verb.RUN_REQUESTED}),
    next={"": frozenset({Verb.RUN_REQUESTED}), "requested": frozenset(AFTER_REQUEST)},
    not_compared={
        "id": "identifies the row",
        "operation": "refers to the run itself",
        "logical_date": "nearly the time of the event",
        "created_at": "nearly the time of the event",
        "sealed": "encrypted, and deleted when the run is started",
        "digest": "of secrets, which the trail does not contain",
        "key": "of the form that was sent",
        "status": "read from Airflow",
        "started_at": "read from Airflow",
        "ended_at": "read from Airflow",
        "seen_at": "set by the worker",
        "next_look": "set by the worker",
        "wanted_until": "set by the worker",
        "gone_at": "read from Airflow",
        "remark": "read from Airflow",
        "error": "read from Airflow",
    },
)
