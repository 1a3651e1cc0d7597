"""users, roles, trigger, runs: each takes the client and its arguments, writes what it finds, gives the exit code."""

from __future__ import annotations

import itertools
import secrets
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from airflow_bridge.airflow import Airflow
from airflow_bridge.cli import show
from airflow_bridge.errors import NotFinished
from airflow_bridge.types import Role, Run, User

RUN_FAILED, NOT_IN_TIME = 3, 4

OF_USER: Mapping[str, Callable[[User], str]] = {
    "USERNAME": lambda user: user.username,
    "E-MAIL": lambda user: user.email,
    "NAME": lambda user: f"{user.first_name} {user.last_name}".strip(),
    "ROLES": lambda user: ", ".join(sorted(user.roles)) + ("" if user.active else " (not active)"),
}
OF_ROLE: Mapping[str, Callable[[Role], str]] = {
    "ROLE": lambda role: role.name,
    "PERMISSIONS": lambda role: str(len(role.permissions)),
}
OF_RUN: Mapping[str, Callable[[Run], str]] = {
    "DAG": lambda run: run.dag_id,
    "RUN": lambda run: run.dag_run_id,
    "STATE": lambda run: run.state,
    "QUEUED": lambda run: show.when(run.queued_at),
    "STARTED": lambda run: show.when(run.started_at),
    "ENDED": lambda run: show.when(run.ended_at),
}


def users(airflow: Airflow, given: Namespace) -> int:
    show.rows(airflow.users(), columns=OF_USER, as_json=given.json, none="nobody")
    return 0


def roles(airflow: Airflow, given: Namespace) -> int:
    show.rows(airflow.roles(), columns=OF_ROLE, as_json=given.json)
    return 0


def runs(airflow: Airflow, given: Namespace) -> int:
    found = airflow.runs(given.dag, state=given.state)
    wanted = itertools.islice(found, given.limit) if given.limit else found
    show.rows(wanted, columns=OF_RUN, as_json=given.json)
    return 0


def trigger(airflow: Airflow, given: Namespace) -> int:
    made_up = f"cli__{datetime.now(UTC):%Y%m%dT%H%M%S}__{secrets.token_hex(4)}"
    run = airflow.trigger(given.dag, dag_run_id=given.run_id or made_up, conf=given.conf, note=given.note)
    if given.wait is None:
        _show(run, given)
        return 0
    if not given.json:
        _show(run, given)
        sys.stdout.flush()
    try:
        run = airflow.wait(run.dag_id, run.dag_run_id, timeout=given.wait)
    except NotFinished as error:
        if given.json:
            _show(error.run, given)
        sys.stderr.write(f"{error}\n")
        return NOT_IN_TIME
    _show(run, given)
    return 0 if run.state == "success" else RUN_FAILED


def _show(run: Run, given: Namespace) -> None:
    if given.json:
        show.line(run)
    else:
        show.write(show.printable(f"{run.dag_id} {run.dag_run_id}: {run.state}"))
