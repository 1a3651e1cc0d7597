"""The state machines of runs and of the starts of requested runs. After REQUESTED, a run's states are Airflow's."""

from __future__ import annotations

from portal.core.state_machine import StateMachine
from portal.dags.models import Permit, Run, RunRequest

S, T, P = Run.Status, RunRequest.Start, Permit.Status

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
START: StateMachine[RunRequest] = StateMachine(
    RunRequest,
    {
        T.WAITING: frozenset({T.SCHEDULED, T.STARTED, T.NOT_STARTED}),
        T.SCHEDULED: frozenset({T.STARTED, T.NOT_STARTED, T.CANCELLED}),
        T.STARTED: frozenset(),
        T.NOT_STARTED: frozenset(),
        T.CANCELLED: frozenset(),
    },
    column="start_status",
)
PERMIT: StateMachine[Permit] = StateMachine(
    Permit,
    {
        P.ACTIVE: frozenset({P.USED_UP, P.EXPIRED, P.REVOKED}),
        # only while a run of it waits for its start
        P.USED_UP: frozenset({P.REVOKED}),
        P.EXPIRED: frozenset({P.REVOKED}),
        P.REVOKED: frozenset(),
    },
)
FOLLOWED = (S.QUEUED, S.RUNNING)
