"""A server of the contract, fake or real: where it is, who may come in, and how to bring a run further."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from airflow_bridge import Airflow, HumanTask, Run
from portal.demo.airflow.accounts import GRANTER as GRANTER_MAY
from portal.demo.airflow.accounts import RUNNER as RUNNER_MAY
from portal.demo.airflow.accounts import RUNNER_OF_AIRFLOW_2
from tests.contract.targets import Target
from tests.fake_airflow import FakeAirflow, FakeDag, FakeQuestion, FakeRole, FakeUser
from tests.fake_airflow.state import State
from tests.real_airflow import CONFIGURED, GRANTER, RUNNER, RealAirflow

TIMEOUT = 150.0  # seconds for a run that takes a few, on a busy machine
IDLE = "every_param"
"""The DAG that is always paused: of its runs, which cost nothing, no task ever begins."""

CONTRACT = (  # as in tests/contract/dags
    FakeDag("contract_daily", schedule="0 5 * * *", paused=True, tags=("contract",)),
    FakeDag("contract_ruled", paused=True, access_control={}),
    FakeDag("contract_asks"),
    FakeDag("contract_retried", tasks=("first", "second")),
    FakeDag("contract_wide", paused=True, tasks=tuple(f"work_{number:03}" for number in range(120))),
)
FAILED_LOG = (
    "the first line: ünïcode",
    "Task failed with exception",
    "Traceback (most recent call last):",
    '  File "/dags/contract_retried.py", line 24, in first',
    "ValueError: the first try fails",
)
Value = TypeVar("Value")


class Server(Protocol):
    target: Target
    url: str
    admin: tuple[str, str]
    granter: tuple[str, str]
    runner: tuple[str, str]

    def begin(self, airflow: Airflow, run: Run) -> Run:
        """Bring a run to where its first task runs."""

    def finish(
        self, airflow: Airflow, run: Run, state: str, *, xcoms: Mapping[tuple[str, str], Any] | None = None
    ) -> Run:
        """Bring a run to its end, which is expected to be the state given. xcoms: what its tasks hand on."""

    def finish_failed_task(self, airflow: Airflow, run: Run, task_id: str) -> Run:
        """Bring a run to its end, in which this task fails."""

    def change_file(self, dag_id: str) -> None:
        """Change the file of a DAG of the contract; it is read again in time."""

    def ask(self, airflow: Airflow, run: Run) -> HumanTask:
        """Bring a run of contract_asks to where its task waits for a person."""


@dataclass
class FakeServer:
    """One for many tests; `reset` makes it as new."""

    target: Target
    fake: FakeAirflow
    granter: tuple[str, str] = GRANTER
    runner: tuple[str, str] = RUNNER

    @property
    def url(self) -> str:
        return self.fake.url

    @property
    def admin(self) -> tuple[str, str]:
        return self.fake.admin

    def reset(self) -> None:
        state = State(self.fake.release, self.fake.admin)
        runs = RUNNER_MAY if self.target.api == "v2" else RUNNER_OF_AIRFLOW_2
        for (username, password), pairs in ((self.granter, GRANTER_MAY), (self.runner, runs)):
            if self.target.can("roles"):
                state.roles[username] = FakeRole(username, set(pairs))
                role = username
            else:
                role = CONFIGURED[username][1]
            state.users[username] = FakeUser(username, f"{username}@gatehouse.example.com", password, [role])
        state.dags[IDLE].paused = True
        for dag in CONTRACT:
            state.dags[dag.dag_id] = replace(dag)
        state.import_errors["contract_broken.py"] = "RuntimeError: the contract's broken file"
        with self.fake.lock:
            state._tokens = self.fake.state._tokens  # who is signed in stays so, and no case begins with a refusal
            self.fake.state = state
            self.fake.requests.clear()
            self.fake.rate_limit_headers.clear()
            self.fake._failures.clear()
        self.fake.start()

    def begin(self, airflow: Airflow, run: Run) -> Run:
        self.fake.set_run_states("running", dag_run_id=run.dag_run_id)
        return self._read(airflow, run)

    def finish(
        self, airflow: Airflow, run: Run, state: str, *, xcoms: Mapping[tuple[str, str], Any] | None = None
    ) -> Run:
        with self.fake.lock:
            row = self.fake.state.run(run.dag_id, run.dag_run_id)
            if row:
                row.xcoms.update(xcoms or {})
            if row and run.dag_id == "flaky_import":  # its first task fails, and is tried again by itself
                row.earlier_tries["fetch"] = 1
                row.logs["fetch", 1] = ["starting", "ConnectionError: partner.example.com refused the connection"]
        self.fake.set_run_states(state, dag_run_id=run.dag_run_id)
        return self._read(airflow, run)

    def finish_failed_task(self, airflow: Airflow, run: Run, task_id: str) -> Run:
        with self.fake.lock:
            row = self.fake.state.run(run.dag_id, run.dag_run_id)
            assert row
            tasks = self.fake.state.dags[run.dag_id].tasks
            after = tasks[tasks.index(task_id) + 1 :]
            row.task_states = {task_id: "failed", **dict.fromkeys(after, "upstream_failed")}
            row.logs[task_id, 1] = list(FAILED_LOG)
        return self.finish(airflow, run, "failed")

    def change_file(self, dag_id: str) -> None:
        self.fake.parse_dags(changed=[dag_id])

    def ask(self, airflow: Airflow, run: Run) -> HumanTask:
        options = ["Approve", "Reject"]
        self.fake.ask(
            FakeQuestion(run.dag_id, run.dag_run_id, "work", "Publish the figures?", options, "They are final.")
        )
        return next(task for task in airflow.human_tasks() if task.dag_run_id == run.dag_run_id)

    def _read(self, airflow: Airflow, run: Run) -> Run:
        found = airflow.run(run.dag_id, run.dag_run_id)
        assert found
        return found


@dataclass
class RealServer:
    target: Target
    real: RealAirflow

    @property
    def url(self) -> str:
        return self.real.url

    @property
    def admin(self) -> tuple[str, str]:
        return self.real.admin

    @property
    def granter(self) -> tuple[str, str]:
        return self.real.granter

    @property
    def runner(self) -> tuple[str, str]:
        return self.real.runner

    def begin(self, airflow: Airflow, run: Run) -> Run:
        def begun() -> bool:
            tasks = airflow.task_instances(run.dag_id, run.dag_run_id)
            return any(task.state == "running" for task in tasks)

        wait_until(begun, f"a task of {run} runs")
        found = airflow.run(run.dag_id, run.dag_run_id)
        assert found
        return found

    def finish_failed_task(self, airflow: Airflow, run: Run, task_id: str) -> Run:
        return self.finish(airflow, run, "failed")

    def finish(
        self, airflow: Airflow, run: Run, state: str, *, xcoms: Mapping[tuple[str, str], Any] | None = None
    ) -> Run:
        def ended() -> Run | None:
            found = airflow.run(run.dag_id, run.dag_run_id)
            assert found
            return found if found.ended_at else None

        return wait_until(ended, f"{run} ends")

    def change_file(self, dag_id: str) -> None:
        file = self.real.dags / f"{dag_id}.py"
        text = file.read_text()
        changed = text.replace('description="as first read"', 'description="as read later"')
        assert changed != text
        file.write_text(changed)

    def ask(self, airflow: Airflow, run: Run) -> HumanTask:
        def asked() -> HumanTask | None:
            return next((task for task in airflow.human_tasks() if task.dag_run_id == run.dag_run_id), None)

        return wait_until(asked, f"{run} waits for a person")


def wait_until(look: Callable[[], Value | None], what: str, timeout: float = TIMEOUT) -> Value:
    """What `look` gives as soon as that is something. AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}"
        time.sleep(0.3)
