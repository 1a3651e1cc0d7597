"""The life of a run, as Airflow reports it."""

from __future__ import annotations

from portal.dags.models import Run
from portal.machine import Machine

S = Run.Status

RUN: Machine[Run] = Machine(
    Run,
    {
        S.REQUESTED: frozenset({S.QUEUED, S.RUNNING, S.SUCCESS, S.FAILED}),
        S.QUEUED: frozenset({S.RUNNING, S.SUCCESS, S.FAILED}),
        S.RUNNING: frozenset({S.QUEUED, S.SUCCESS, S.FAILED}),
        # cleared or marked in Airflow
        S.SUCCESS: frozenset({S.QUEUED, S.RUNNING, S.FAILED}),
        S.FAILED: frozenset({S.QUEUED, S.RUNNING, S.SUCCESS}),
    },
)
FOLLOWED = (S.QUEUED, S.RUNNING)
