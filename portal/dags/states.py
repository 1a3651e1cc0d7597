"""The state machine of runs. After REQUESTED, the states are Airflow's."""

from __future__ import annotations

from portal.core.state_machine import StateMachine
from portal.dags.models import Run

S = Run.Status

RUN: StateMachine[Run] = StateMachine(
    Run,
    {
        S.REQUESTED: frozenset({S.QUEUED, S.RUNNING, S.SUCCESS, S.FAILED}),
        S.QUEUED: frozenset({S.RUNNING, S.SUCCESS, S.FAILED}),
        S.RUNNING: frozenset({S.QUEUED, S.SUCCESS, S.FAILED}),
        # somebody cleared the run in Airflow, or set its state there
        S.SUCCESS: frozenset({S.QUEUED, S.RUNNING, S.FAILED}),
        S.FAILED: frozenset({S.QUEUED, S.RUNNING, S.SUCCESS}),
    },
)
FOLLOWED = (S.QUEUED, S.RUNNING)
