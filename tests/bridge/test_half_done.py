"""What was done in part, or cannot be read back, is never said to be undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from airflow_bridge import Airflow, NotApplied, PasswordAuth, TimedOut, Unsupported, connect
from tests.fake_airflow import FakeAirflow, FakeDag, FakeQuestion
from tests.fake_airflow.listener import Half
from tests.fake_airflow.replies import Reply
from tests.fake_airflow.rows import Request

READ, EDIT, RUNS = ("can_read", "DAGs"), ("can_edit", "DAGs"), ("can_read", "DAG Runs")


class Onlooker(FakeAirflow):
    """Calls `afterwards` with every request that it has answered."""

    afterwards: Callable[[Request], object] = staticmethod(lambda request: None)

    def answer(self, request: Request) -> Reply | Half | None:
        reply = super().answer(request)
        self.afterwards(request)
        return reply


@contextmanager
def client(fake: FakeAirflow) -> Iterator[Airflow]:
    airflow = connect(name="prod", url=fake.url, api="v2", auth=PasswordAuth(*fake.admin), timeout=5)
    yield airflow
    airflow.close()


@pytest.fixture
def fake() -> Iterator[Onlooker]:
    with Onlooker() as fake:
        yield fake


# --- roles of an Airflow that takes tokens and only adds (FAB 3.2 to 3.8.0) ------------------------------------------
@pytest.fixture
def adding(fake: Onlooker) -> Iterator[Airflow]:
    def keep(request: Request) -> None:
        if request.method == "PATCH":
            fake.state.roles["Team"].permissions |= {READ, EDIT}

    fake.afterwards = keep
    with client(fake) as airflow:
        airflow.create_role("Team", [READ, EDIT])
        yield airflow


def test_what_was_added_is_said_where_the_rest_cannot_go(adding: Airflow) -> None:
    with pytest.raises(NotApplied, match=r"has can_read on DAG Runs now, but keeps can_edit on DAGs.*new role"):
        adding.update_role("Team", [READ, RUNS])


def test_where_nothing_came_of_it_there_is_no_such_call(adding: Airflow) -> None:
    with pytest.raises(Unsupported, match=r"keeps can_edit on DAGs.*not take any away"):
        adding.update_role("Team", [READ])


# --- answers to tasks that wait for a person -------------------------------------------------------------------------
@pytest.fixture
def asking(fake: Onlooker) -> Iterator[Airflow]:
    fake.state.dags["asks"] = FakeDag("asks")
    with client(fake) as airflow:
        airflow.trigger("asks", dag_run_id="one", logical_date=datetime.now(UTC))
        fake.ask(FakeQuestion("asks", "one", "work", "Pay?", ["Yes", "No"]))
        yield airflow


def test_an_answer_that_cannot_be_read_back_may_have_been_given(fake: Onlooker, asking: Airflow) -> None:
    def go_down(request: Request) -> None:
        if request.method == "PATCH":
            fake.fail_next("GET .*hitlDetails", "503", times=10)

    fake.afterwards = go_down
    with pytest.raises(TimedOut, match="accepted the answer to work of one, but what came of it could not be read"):
        asking.answer_human_task("asks", "one", "work", ["Yes"])


def test_an_answer_that_was_taken_and_is_not_there(fake: Onlooker, asking: Airflow) -> None:
    fake.fail_next("PATCH .*hitlDetails", "ignore")
    with pytest.raises(NotApplied, match="accepted Yes as the answer to work of one, but shows none"):
        asking.answer_human_task("asks", "one", "work", ["Yes"])
