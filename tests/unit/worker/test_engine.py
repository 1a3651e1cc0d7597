"""What runs in a worker beside Celery: what time brings, operations by deployment, and polling beside them."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from portal.access.models import Grant
from portal.airflow import health
from portal.airflow.models import DeploymentState
from portal.catalogue.models import Dag, Deployment
from portal.dags import actions as dag_actions
from portal.dags.models import DagState, VariableState
from portal.operations import outbox
from portal.worker import executor, human, looks, polling, runner, runs, timers, variables
from tests import factories

TIMEOUT = 60  # seconds until a test that waits for another thread fails


@pytest.fixture
def hanging(monkeypatch, room):
    """Operations of deployment `slow` hang until `let_go` is set; those of others are done at once, in `done`."""
    let_go, begun, done = threading.Event(), threading.Semaphore(0), []

    def execute(operation):
        if operation.deployment.name == "slow":
            begun.release()
            assert let_go.wait(TIMEOUT)
        outbox.succeed(operation, before={}, after={})
        done.append((operation.deployment.name, operation.kind))

    monkeypatch.setattr(executor, "execute", execute)
    yield let_go, begun, done
    let_go.set()


def deployment(name):
    made = Deployment.objects.create(name=name, url=f"http://127.0.0.1/{name}", api="v2")
    DeploymentState.objects.create(deployment=made, status="up")
    return made


def put(on, ordering_key, kind="test_giving"):
    return outbox.put(kind, deployment=on, subject="GR-1", payload={}, by=None, about=f"{on.name}/{ordering_key}")


@pytest.mark.django_db(transaction=True)
def test_a_slow_airflow_occupies_only_its_own_threads(hanging):
    let_go, begun, done = hanging
    slow, well = deployment("slow"), deployment("well")
    for ordering_key in range(20):
        put(slow, ordering_key)
    threads = runner.Runner()
    threads.start()
    try:
        for _ in range(runner.THREADS):
            assert begun.acquire(timeout=TIMEOUT)
        wanted = [put(well, ordering_key) for ordering_key in range(5)]
        threads.wake()
        wait_until(lambda: len(done) == len(wanted))
        assert not begun.acquire(blocking=False), "the slow one has no more threads than its own"
        assert {name for name, _ in done} == {"well"}
    finally:
        let_go.set()
        threads.stop(within=TIMEOUT)


@pytest.mark.django_db(transaction=True)
def test_a_thread_that_cannot_start_blocks_no_other(hanging, monkeypatch):
    _, _, done = hanging
    put(deployment("well"), "one")
    threads, start = runner.Runner(), threading.Thread.start

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    for _ in range(runner.THREADS + 1):
        with pytest.raises(RuntimeError):
            threads._start_threads()
    monkeypatch.setattr(threading.Thread, "start", start)
    threads._start_threads()
    wait_until(lambda: len(done) == 1 and not threads._all_threads())


@pytest.mark.django_db(transaction=True)
def test_without_any_message_a_worker_finds_what_is_due_and_takes_removals_first(hanging, monkeypatch):
    _, _, done = hanging
    monkeypatch.setattr(runner, "THREADS", 1)
    well = deployment("well")
    put(well, "first")
    threads = runner.Runner()
    threads.start()
    try:
        wait_until(lambda: len(done) == 1)
        with transaction.atomic():
            for ordering_key in range(30):
                put(well, ordering_key)
            put(well, "removal", "test_removal")
        wait_until(lambda: len(done) == 32)
        assert done[1] == ("well", "test_removal")
    finally:
        threads.stop(within=TIMEOUT)


def wait_until(condition):
    pause = threading.Event()
    for _ in range(TIMEOUT * 100):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not come about")


def test_time_ends_a_grant_without_a_message_whatever_else_waits(airflow, monkeypatch, room):
    grant = factories.grant_at_status("active")
    on = Deployment.objects.get()
    for ordering_key in range(300):
        put(on, ordering_key)
    monkeypatch.setattr(outbox.app, "send_task", lambda *args, **more: pytest.fail("a message was sent"))
    monkeypatch.setattr(outbox, "wake_here", lambda: None)
    Grant.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    timers.Timekeeper(timers.DUTIES).do_due()
    grant.refresh_from_db()
    assert grant.status == "ending"
    executor.execute(outbox.claim_next(on.pk, worker="test"))
    grant.refresh_from_db()
    assert grant.status == "ended"
    assert "User" not in airflow.roles_of("employee")


@pytest.mark.parametrize(
    ("error", "closes"), [(ValueError("unforeseen"), 0), (DatabaseError("away"), 1), (InterfaceError("closed"), 1)]
)
def test_a_failing_timer_does_not_stop_others(monkeypatch, error, closes):
    closed, done = [], []
    monkeypatch.setattr(connection, "close", lambda: closed.append(1))

    def fail():
        raise error

    duties = [timers.Duty("first", 1, fail), timers.Duty("second", 1, lambda: done.append(1))]
    timers.Timekeeper(duties).do_due()
    assert (done, len(closed)) == ([1], closes)


def test_a_timer_runs_at_its_interval(monkeypatch):
    moment, done = 100.0, []
    monkeypatch.setattr(timers.time, "monotonic", lambda: moment)
    keeper = timers.Timekeeper(
        [
            timers.Duty("often", 1, lambda: done.append("often")),
            timers.Duty("seldom", 10, lambda: done.append("seldom")),
        ]
    )
    for _ in range(20):
        keeper.do_due()
        moment += 0.5
    assert (done.count("often"), done.count("seldom")) == (10, 1)


def test_every_timer_of_the_workers_exists():
    names = [duty.work.__name__ for duty in timers.DUTIES]
    assert names[0] == "expire_due", "what ends access comes first"
    assert {"expire_due", "start_due", "lapse_due", "release_dead", "release_expired", "close_refusals"} <= set(names)
    assert all(duty.every <= 5 for duty in timers.DUTIES[:3])


@pytest.fixture
def moment(monkeypatch):
    """The clock of the poller, as a list of one."""
    moment = [1000.0]
    monkeypatch.setattr(polling.time, "monotonic", lambda: moment[0])
    return moment


@pytest.fixture
def slices(moment, monkeypatch):
    """The DAGs that were asked for: each takes 4 s of the poller's clock."""
    asked = []

    def ask(dag):
        asked.append(dag.dag_id)
        moment[0] += 4.0

    monkeypatch.setattr(runs, "read_dag", ask)
    return asked


def test_reading_a_slow_airflow_releases_its_thread_and_continues_later(airflow, slices):
    on = Deployment.objects.get()
    Dag.objects.bulk_create(Dag(deployment=on, dag_id=f"slow_{n:02}", actions=["trigger"]) for n in range(40))
    poller = polling.Poller()
    poller.visit(on)
    assert len(slices) == 2, "5 s hold two questions of 4 s"
    poller.visit(on)
    assert len(set(slices)) == 4, "the next look asks for others"


def test_one_airflow_is_read_by_one_thread_at_a_time(airflow, monkeypatch):
    on = Deployment.objects.get()
    poller = polling.Poller()
    sent = []
    monkeypatch.setattr(poller._pool, "submit", lambda work, one, look: sent.append(one))
    poller._start_visit(on)
    poller._start_visit(on)
    assert sent == [on]


@pytest.mark.django_db(transaction=True)
def test_a_read_without_a_free_thread_is_done_once_later(monkeypatch):
    """The pool has queued it all the same."""
    on = deployment("well")
    poller = polling.Poller()
    looks = []
    monkeypatch.setattr(poller, "visit", lambda one: looks.append(one.name))

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full, pytest.raises(RuntimeError):
        full.setattr(threading.Thread, "start", refuse)
        poller._start_visit(on)
    poller._start_visit(on)
    poller._pool.shutdown(wait=True)
    assert looks == ["well"]


@pytest.fixture
def cannot_close(monkeypatch):
    """The connection of this thread cannot be closed."""

    def fail():
        raise InterfaceError("closed in some odd way")

    monkeypatch.setattr(connection, "close", fail)


@pytest.mark.usefixtures("db", "cannot_close")
def test_a_connection_that_cannot_be_closed_leaves_no_deployment_claimed(monkeypatch):
    on = deployment("well")
    poller = polling.Poller()
    sent = []
    monkeypatch.setattr(poller._pool, "submit", lambda work, *args: sent.append((work, args)))
    monkeypatch.setattr(poller, "visit", lambda one: None)
    for _ in range(2):
        poller._start_visit(on)
        work, args = sent.pop()
        with pytest.raises(InterfaceError):
            work(*args)


@pytest.mark.usefixtures("db", "cannot_close")
def test_a_connection_that_cannot_be_closed_blocks_no_thread(monkeypatch):
    on = deployment("well")
    threads = runner.Runner()
    threads._threads[on.pk] = {threading.current_thread()}
    with pytest.raises(InterfaceError):
        threads._work(on.pk)
    assert threads._all_threads() == []


def test_what_is_asked_meanwhile_does_not_disturb_the_search_for_what_is_due(airflow):
    """The threads that ask note it while what was asked long ago is forgotten."""
    poller = polling.Poller()

    class Meanwhile(float):
        def __lt__(self, other):
            poller._asked["run/2"] = float("inf")
            return True

    poller._asked = {"run/1": Meanwhile(0)}
    assert poller._due() == []
    assert poller._asked == {"run/2": float("inf")}


def test_no_kind_of_read_delays_another(airflow, cast):
    """Where many runs are followed and Airflow is so slow that each look at it has time for one question."""
    on = Deployment.objects.get()
    for _ in range(3):
        dag_actions.trigger(by=cast["colleague"], dag=Dag.objects.get(dag_id="sales_report"), conf={"region": "KR"})
    for name in ("employee", "colleague"):
        factories.grant_at_status("active", by=name)
    factories.work_off()
    VariableState.objects.update(tried_at=timezone.now() - timedelta(minutes=2))
    Grant.objects.update(look_at=timezone.now())
    Dag.objects.bulk_create(Dag(deployment=on, dag_id=f"new_{n}", actions=["trigger"]) for n in range(3))
    poller = polling.Poller()
    looks = [[name.partition("/")[0] for name, _ in poller._questions(on)] for _ in range(5)]
    assert {kinds[0] for kinds in looks} == {"run", "look", "dag", "human", "variables"}
    for kinds in looks:
        assert {*kinds[:5]} == {"run", "look", "dag", "human", "variables"}
        assert sorted(kinds) == ["dag"] * 3 + ["human"] + ["look"] * 2 + ["run"] * 3 + ["variables"]


def test_a_slow_health_check_delays_no_other_kind(airflow, cast, moment, monkeypatch):
    """Every fifth look begins with one, which takes longer than a slice; so does each question."""
    on = Deployment.objects.get()
    dag_actions.trigger(by=cast["colleague"], dag=Dag.objects.get(dag_id="sales_report"), conf={"region": "KR"})
    factories.grant_at_status("active")
    factories.work_off()
    Grant.objects.update(look_at=timezone.now())
    Dag.objects.create(deployment=on, dag_id="new", actions=["trigger"])
    asked = []

    def taking_long(name):
        def ask(what):
            asked.append(name)
            moment[0] += polling.SLICE + 1

        return ask

    monkeypatch.setattr(health, "check", taking_long("health"))
    monkeypatch.setattr(runs, "read_run", taking_long("run"))
    monkeypatch.setattr(looks, "check_account", taking_long("look"))
    monkeypatch.setattr(runs, "read_dag", taking_long("dag"))
    monkeypatch.setattr(human, "read", taking_long("human"))
    monkeypatch.setattr(variables, "read", taking_long("variables"))
    VariableState.objects.update(tried_at=timezone.now() - timedelta(minutes=2))
    poller = polling.Poller()
    for turn in range(10):
        on.state.checked_at = None if turn % 5 == 0 else timezone.now()
        poller.visit(on)
        moment[0] += max(polling.AGAIN.values())
        poller._due()  # forgets what was asked so long ago
    assert asked == ["health", "run", "look", "dag", "human", "variables"] * 2


def test_only_what_is_due_is_polled(airflow):
    poller = polling.Poller()
    assert poller._due() == []
    health.suspect(Deployment.objects.get())
    assert poller._due() == [Deployment.objects.get()]


def test_a_dag_whose_page_is_open_is_read_in_the_next_round(airflow, moment):
    """Though it was read in vain seconds ago, as one of many."""
    on, dag = Deployment.objects.get(), Dag.objects.get(dag_id="sales_report")
    known = airflow.state.dags.pop("sales_report")
    DagState.objects.filter(dag=dag).delete()
    poller = polling.Poller()
    poller.visit(on)
    assert not DagState.objects.get(dag=dag).known
    airflow.state.dags["sales_report"] = known
    DagState.objects.filter(dag=dag).update(seen_at=timezone.now() - timedelta(seconds=4), is_wanted=True)
    moment[0] += 4
    poller.visit(on)
    assert DagState.objects.get(dag=dag).known


def test_a_dag_that_gatehouse_may_not_read_says_so_and_delays_no_other(airflow):
    DagState.objects.all().delete()
    on, dag = Deployment.objects.get(), Dag.objects.get(dag_id="sales_report")
    airflow.fail_next(r".*/dags/sales_report(/details)?$", "403", times=99)
    polling.Poller().visit(on)
    state = DagState.objects.get(dag=dag)
    assert state.problem.startswith("Gatehouse cannot read this DAG from Airflow: ")
    assert dag not in runs.due_dags()
    airflow.fail_next(r".*/dags/payroll_close(/details)?$", "403", times=99)
    payroll = DagState.objects.get(dag__dag_id="payroll_close")
    DagState.objects.filter(pk=payroll.pk).update(seen_at=timezone.now() - timedelta(minutes=2), is_wanted=True)
    polling.Poller().visit(on)
    after = DagState.objects.get(pk=payroll.pk)
    assert (after.known, after.params, after.problem, after.is_wanted) == (True, payroll.params, "", False)
    assert after.runs_seen_at > payroll.runs_seen_at
