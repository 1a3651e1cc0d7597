"""Tasks that wait for a person (Airflow 3.1 or newer)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airflow_bridge.calls.part import one_budget
from airflow_bridge.calls.tasks import Tasks
from airflow_bridge.errors import Conflict, Forbidden, NotApplied, Rejected
from airflow_bridge.types import HumanTask

READS_HUMAN = "can_read on HITL Detail and on the DAG"


class Human(Tasks):
    def human_tasks(self) -> Iterator[HumanTask]:
        """Tasks that wait for a person (Airflow 3.1 or newer)."""
        self._require("human_tasks")
        return self._pages(
            f"{self._core}/dags/~/dagRuns/~/hitlDetails",
            "hitl_details",
            parse=self._parser.human_task,
            tell=lambda task: (task.dag_id, task.dag_run_id, task.task_id, task.map_index),
            order="created_at",
            what="for the tasks that wait for a person",
            needs=READS_HUMAN,
            params={"response_received": "false"},
        )

    @one_budget
    def human_task(self, dag_id: str, dag_run_id: str, task_id: str, *, map_index: int = -1) -> HumanTask:
        self._require("human_tasks")
        return self._http.call(
            "GET",
            self._human_path(dag_id, dag_run_id, task_id, map_index),
            what=f"what {task_id} of {dag_run_id} waits for",
            needs=READS_HUMAN,
            parse=self._parser.human_task,
        )

    @one_budget
    def answer_human_task(
        self, dag_id: str, dag_run_id: str, task_id: str, chosen: Iterable[str], *, map_index: int = -1
    ) -> HumanTask:
        """Airflow writes down our account as the one who answered.

        Raises Forbidden for one that is assigned to somebody, Conflict for one that is answered.
        """
        task = self.human_task(dag_id, dag_run_id, task_id, map_index=map_index)
        if task.answered_at is not None:
            raise Conflict(f"{task_id} of {dag_run_id} has been answered already: {', '.join(task.chosen)}.")
        if task.assigned:
            # Airflow refuses everybody else, Admins too, and would write our account down as the one who answered
            raise Forbidden(
                f"{task_id} of {dag_run_id} is for {', '.join(task.assigned)} alone to answer, in Airflow itself."
            )
        answers = list(chosen)
        if wrong := [answer for answer in answers if answer not in task.options]:  # Airflow 3.1 would take them
            raise Rejected(
                f"{', '.join(wrong)} is no answer to {task_id} of {dag_run_id}: it takes {', '.join(task.options)}.",
                field="chosen",
            )
        if not answers or (len(answers) > 1 and not task.multiple):
            raise Rejected(f"{task_id} of {dag_run_id} takes one answer, not {len(answers)}.", field="chosen")
        self._http.call(
            "PATCH",
            self._human_path(dag_id, dag_run_id, task_id, map_index),
            what=f"to answer {task_id} of {dag_run_id}",
            needs="can_edit on HITL Detail and on the DAG",
            body={"chosen_options": answers, "params_input": {}},
            parse=lambda body: None,
        )
        with self._reading_back(f"the answer to {task_id} of {dag_run_id}"):
            after = self.human_task(dag_id, dag_run_id, task_id, map_index=map_index)
        if after.answered_at is None or set(after.chosen) != set(answers):
            raise NotApplied(
                f"{self._http.name} accepted {', '.join(answers)} as the answer to {task_id} of {dag_run_id}, but "
                f"shows {', '.join(after.chosen) or 'none'}."
            )
        return after

    def _human_path(self, dag_id: str, dag_run_id: str, task_id: str, map_index: int) -> str:
        return f"{self._task_path(dag_id, dag_run_id, task_id)}/{int(map_index)}/hitlDetails"
