"""Runs: started once however often asked, looked at before they are changed, waited for."""

from __future__ import annotations

import secrets
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_bridge import http
from airflow_bridge.answers import Again
from airflow_bridge.calls.dags import Dags
from airflow_bridge.calls.part import one_budget
from airflow_bridge.errors import (
    BridgeError,
    Conflict,
    NotApplied,
    NotFinished,
    NotFound,
    RateLimited,
    Rejected,
    TimedOut,
    Unexpected,
    Unreachable,
)
from airflow_bridge.paging import SIZE
from airflow_bridge.types import Run

NOTE = 1000  # characters; the column in Airflow's database
POLL = (1.0, 15.0)  # seconds between two looks at a run that is waited for: at first, and at most
RESERVED = ("scheduled__", "backfill__", "asset_triggered__", "dataset_triggered__")
READS = "can_read on the DAG and on DAG Runs"
EDITS = "can_edit on the DAG and on DAG Runs"
CLEARS = "can_edit on the DAG, on DAG Runs and on Task Instances"
_random = secrets.SystemRandom()


def shortened(note: str) -> str:
    """SQLite would take more, PostgreSQL not."""
    return note if len(note) <= NOTE else f"{note[: NOTE - 1]}…"


class Runs(Dags):
    _cancel_params: Mapping[str, str | int]
    """Airflow 3 takes a mask with the new state, Airflow 2 none."""

    @one_budget
    def trigger(
        self,
        dag_id: str,
        *,
        dag_run_id: str,
        conf: Mapping[str, Any] | None = None,
        logical_date: datetime | None = None,
        note: str = "",
    ) -> Run:
        """Start a run under an id of ours, or find the one already there (same id): one run, however often called.

        A retry gives the same id and the same logical date, which by default is now. Of a paused DAG it stays queued.
        Raises Conflict where the date is another run's.
        """
        self._check_run_id(dag_run_id)
        if dag_run_id.startswith(RESERVED):
            raise Rejected(
                f"“{dag_run_id}” cannot be the id of a run we start: the beginning is reserved for Airflow's own.",
                field="dag_run_id",
            )
        when = logical_date or datetime.now(UTC)
        if when.tzinfo is None:
            raise Rejected(f"The logical date of {dag_run_id} has no time zone.", field="logical_date")
        body = {
            "dag_run_id": dag_run_id,
            "conf": dict(conf or {}),
            "note": shortened(note),
            "logical_date": when.isoformat(),
        }
        try:
            return self._http.call(
                "POST",
                f"{self._dag_path(dag_id)}/dagRuns",
                what=f"to run {dag_id} as {dag_run_id}",
                needs="can_edit on the DAG and can_create on DAG Runs",
                body=body,
                parse=self._parser.run,
                again=Again.OVER,  # under the same id: a second one is a conflict
            )
        except (TimedOut, Conflict, Unexpected) as error:
            return self._already_there(dag_id, dag_run_id, error)

    def _already_there(self, dag_id: str, dag_run_id: str, error: BridgeError) -> Run:
        """The run that an attempt without a clear answer has started. Raises `error`, or a Conflict in words."""
        try:
            found = self.run(dag_id, dag_run_id)
        except BridgeError as unread:
            # the conflict may be our own run: without an answer to that, it is not a refusal
            raise (unread if isinstance(error, Conflict) else error) from None
        if found:
            return found
        if isinstance(error, Conflict):
            # Airflow 3 answers the same for a taken id and a taken logical date; our id is free
            raise Conflict(
                f"{self._http.name} already has a run of {dag_id} with the same logical date. Choose another moment."
            ) from None
        raise error

    def run(self, dag_id: str, dag_run_id: str) -> Run | None:
        try:
            return self._read_run(dag_id, dag_run_id)
        except NotFound:
            return None

    def runs(self, dag_id: str | None = None, *, state: str = "") -> Iterator[Run]:
        """Newest first; of one DAG or of all."""
        return self._pages(
            f"{self._dag_path(dag_id) if dag_id is not None else f'{self._core}/dags/~'}/dagRuns",
            "dag_runs",
            parse=self._parser.run,
            tell=lambda run: (run.dag_id, run.dag_run_id),
            order="-id",  # Airflow begins with the oldest by default
            what=f"for the runs of {dag_id or 'all DAGs'}",
            needs=READS,
            params={"state": state} if state else None,
        )

    def recent_runs(self, dag_id: str, limit: int = 20) -> list[Run]:
        """Newest first."""
        return self._http.call(
            "GET",
            f"{self._dag_path(dag_id)}/dagRuns",
            what=f"for the last runs of {dag_id}",
            needs=READS,
            params={"limit": max(1, min(limit, SIZE)), "order_by": "-id"},
            parse=lambda body: [self._parser.run(row) for row in body["dag_runs"]],
        )

    @one_budget
    def cancel(self, dag_id: str, dag_run_id: str) -> Run:
        """Mark the run failed. Raises Conflict if it has ended already; it is then left unchanged."""
        run = self._read_run(dag_id, dag_run_id)
        if run.is_final:
            # Airflow would turn a successful run into a failed one
            raise Conflict(f"The run {dag_run_id} of {dag_id} has already ended ({run.state}); it was left as it is.")
        self._http.call(
            "PATCH",
            self._run_path(dag_id, dag_run_id),
            what=f"to cancel the run {dag_run_id} of {dag_id}",
            needs=EDITS,
            params=self._cancel_params,
            body={"state": "failed"},
            parse=lambda body: None,
            # not repeated: the run may have been cleared in between, and must then go on
            again=Again.OVER,
        )
        with self._reading_back(f"that {dag_run_id} is cancelled"):
            after = self._read_run(dag_id, dag_run_id)
        if not after.is_final:
            raise NotApplied(f"{self._http.name} accepted that {dag_run_id} is cancelled, but shows it {after.state}.")
        return after

    @one_budget
    def clear(self, dag_id: str, dag_run_id: str, *, only_failed: bool = True) -> Run:
        """Have the failed tasks (or all) of a run that has ended run again. Raises Rejected if there are none."""
        run = self._read_run(dag_id, dag_run_id)
        if not run.is_final:
            raise Conflict(
                f"The run {dag_run_id} of {dag_id} has not ended yet ({run.state}); there is no retry of it."
            )
        self._clear(dag_id, dag_run_id, only_failed=only_failed)
        with self._reading_back(f"that {dag_run_id} is cleared"):
            after = self._read_run(dag_id, dag_run_id)
        if after == run:
            raise Rejected(f"{self._http.name} cleared nothing: no task of {dag_run_id} has failed.")
        return after

    @one_budget
    def clear_tasks(self, dag_id: str, dag_run_id: str, task_ids: Iterable[str], *, downstream: bool = False) -> Run:
        """Have these tasks of a run that has ended run again; only those of this run.

        downstream: also every task that depends on them. Raises Conflict while the run goes on, NotFound for a run
        that is not there.
        """
        chosen = list(task_ids)
        if not chosen:
            raise Rejected("No task was named.", field="task_ids")  # Airflow would clear all
        run = self._read_run(dag_id, dag_run_id)
        if not run.is_final:
            raise Conflict(f"The run {dag_run_id} of {dag_id} has not ended yet ({run.state}); its tasks still run.")
        self._http.call(
            "POST",
            f"{self._dag_path(dag_id)}/clearTaskInstances",
            what=f"to clear {', '.join(chosen[:5])} of {dag_run_id}",
            needs=CLEARS,
            body={
                "dry_run": False,
                "dag_run_id": dag_run_id,
                "task_ids": chosen,
                "include_downstream": downstream,
                "only_failed": False,
                "reset_dag_runs": True,
            },
            parse=lambda body: None,
            again=Again.OVER,
        )
        with self._reading_back(f"that tasks of {dag_run_id} are cleared"):
            after = self._read_run(dag_id, dag_run_id)
        if after == run:
            raise Rejected(
                f"{self._http.name} cleared nothing: {dag_run_id} has no task {' or '.join(chosen[:5])}.",
                field="task_ids",
            )
        return after

    @one_budget
    def set_note(self, dag_id: str, dag_run_id: str, note: str) -> Run:
        """Replace the note of a run, cut to the length that Airflow stores. Raises NotApplied if it did not change."""
        wanted = shortened(note)
        run = self._set_note(dag_id, dag_run_id, wanted)
        if run.note != wanted:
            raise NotApplied(f"{self._http.name} accepted the note of {dag_run_id}, but shows another one.")
        return run

    @abstractmethod
    def _set_note(self, dag_id: str, dag_run_id: str, note: str) -> Run: ...

    @abstractmethod
    def _clear(self, dag_id: str, dag_run_id: str, *, only_failed: bool) -> None:
        """Have the tasks run again; by itself Airflow would only say which."""

    def wait(self, dag_id: str, dag_run_id: str, *, timeout: float) -> Run:
        """Return it when it has ended, asking every second at first, and every 15 seconds in the end.

        Raises NotFinished after `timeout` seconds, which says so when the DAG is paused. The last look may begin then:
        in all it is over after `timeout` and the time of one call.
        """
        deadline, pause = time.monotonic() + timeout, POLL[0]
        run: Run | None = None
        while True:
            unread: BridgeError | None = None
            # the last look, at the run and whether its DAG is paused, may begin when the time is over
            with self._http.budget.one():
                try:
                    run = self._read_run(dag_id, dag_run_id)
                    if run.is_final:
                        return run
                except (Unreachable, TimedOut, RateLimited) as error:
                    if run is None:
                        raise
                    unread = error
                left = deadline - time.monotonic()
                if left <= 0:
                    words = self._last_seen(run, timeout, unread) if unread else self._still_going(run, timeout)
                    raise NotFinished(words, run=run) from None
            retry_after = (unread.retry_after if unread else None) or 0.0
            http._wait(min(left, max(retry_after, pause * _random.uniform(0.75, 1.0))))
            pause = min(POLL[1], pause * 1.5)

    def _last_seen(self, run: Run, timeout: float, unread: BridgeError) -> str:
        return (
            f"The run {run.dag_run_id} of {run.dag_id} was {run.state} when it was last seen; after {timeout:.0f} s it "
            f"could not be read: {unread}"
        )

    def _still_going(self, run: Run, timeout: float) -> str:
        words = f"The run {run.dag_run_id} of {run.dag_id} is still {run.state} after {timeout:.0f} s."
        try:
            paused = (dag := self.dag(run.dag_id)) is not None and dag.paused
        except BridgeError:
            return words
        if paused:
            return f"{words} {run.dag_id} is paused in Airflow: until somebody unpauses it, nothing of it goes on."
        return words

    def _read_run(self, dag_id: str, dag_run_id: str) -> Run:
        return self._http.call(
            "GET",
            self._run_path(dag_id, dag_run_id),
            what=f"for the run {dag_run_id} of {dag_id}",
            needs=READS,
            parse=self._parser.run,
        )
