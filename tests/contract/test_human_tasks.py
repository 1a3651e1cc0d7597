"""Tasks that wait for a person: found, and answered where nobody in particular is to (Airflow 3.1 or newer)."""

from __future__ import annotations

import pytest

from airflow_bridge import Airflow, Conflict, Forbidden, HumanTask, NotFound, Rejected
from tests.contract.conftest import now
from tests.contract.servers import IDLE, Server
from tests.fake_airflow import FakeAirflow, FakeQuestion
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.once, pytest.mark.needs("human_tasks")]


@pytest.fixture
def waiting(airflow: Airflow, server: Server) -> HumanTask:
    run = airflow.trigger("contract_asks", dag_run_id=unique("g__"), logical_date=now())
    return server.ask(airflow, run)


def where(task: HumanTask) -> tuple[str, str, str]:
    return task.dag_id, task.dag_run_id, task.task_id


@pytest.mark.everywhere
def test_a_question_is_found_and_answered_once(airflow: Airflow, waiting: HumanTask) -> None:
    assert (waiting.subject, waiting.body) == ("Publish the figures?", "They are final.")
    assert (waiting.options, waiting.multiple, waiting.assigned) == (("Approve", "Reject"), False, ())
    assert (waiting.chosen, waiting.answered_at) == ((), None)
    assert airflow.human_task(*where(waiting)) == waiting
    for wrong in (["Nope"], ["Approve", "Reject"], []):  # the first of these Airflow 3.1 would take
        with pytest.raises(Rejected) as caught:
            airflow.answer_human_task(*where(waiting), wrong)
        assert caught.value.field == "chosen"
    assert airflow.human_task(*where(waiting)).answered_at is None
    answered = airflow.answer_human_task(*where(waiting), ["Reject"])
    assert answered.chosen == ("Reject",)
    assert answered.answered_at is not None
    assert where(waiting) not in [where(task) for task in airflow.human_tasks()]
    with pytest.raises(Conflict, match="answered already: Reject"):
        airflow.answer_human_task(*where(waiting), ["Approve"])


def test_no_question(airflow: Airflow) -> None:
    run = airflow.trigger(IDLE, dag_run_id=unique("g__"), logical_date=now())
    for task in ("show", "no_such_task"):
        with pytest.raises(NotFound):
            airflow.human_task(IDLE, run.dag_run_id, task)


def test_a_question_for_somebody_is_left_to_them(airflow: Airflow, fake: FakeAirflow) -> None:
    """Airflow refuses everybody else, Admins too, and would write our account down."""
    run = airflow.trigger("contract_asks", dag_run_id=unique("g__"), logical_date=now())
    people = [{"id": "9", "name": "alice"}, {"id": "10", "name": "bob"}]
    fake.ask(FakeQuestion("contract_asks", run.dag_run_id, "work", "Pay?", ["Yes", "No"], assigned_users=people))
    assert [task.assigned for task in airflow.human_tasks()] == [("alice", "bob")]
    with pytest.raises(Forbidden, match="alice, bob alone"):
        airflow.answer_human_task("contract_asks", run.dag_run_id, "work", ["Yes"])
    assert not fake.calls("PATCH .*hitlDetails")


def test_more_questions_than_airflow_gives_at_once(airflow: Airflow, fake: FakeAirflow) -> None:
    for number in range(120):
        run = airflow.trigger("contract_asks", dag_run_id=f"g__{number}", logical_date=now())
        fake.ask(FakeQuestion("contract_asks", run.dag_run_id, "work", "Pay?", ["Yes", "No"]))
    assert len({where(task) for task in airflow.human_tasks()}) == 120


@pytest.mark.everywhere
@pytest.mark.separate
def test_the_two_accounts_answer_nothing(granter: Airflow, runner: Airflow, waiting: HumanTask) -> None:
    assert waiting in list(runner.human_tasks())
    with pytest.raises(Forbidden):
        list(granter.human_tasks())
    for account in (granter, runner):
        with pytest.raises(Forbidden):
            account.answer_human_task(*where(waiting), ["Approve"])
