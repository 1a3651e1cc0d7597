"""What is behind the proxy, what is asked of it through the proxy, and what is looked up past it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from airflow_bridge import Airflow, BridgeError, PasswordAuth, connect
from tests.fake_airflow import FakeAirflow
from tests.faults.kinds import KINDS
from tests.faults.proxy import LossyProxy
from tests.real_airflow import unique

SLACK = 1.5  # seconds that a busy machine may add to a call
DAG, PAUSED_DAG = "sales_report", "payroll_close"
_moments = itertools.count(1)


@dataclass(frozen=True)
class Target:
    """An Airflow. haste: what its budgets are multiplied with."""

    url: str
    api: str
    account: tuple[str, str]
    look: Airflow
    """A client that asks past the proxy."""
    haste: float = 1.0

    def person(self) -> str:
        """A user with the role Viewer whom nobody else knows."""
        name = unique("person")
        given = {"email": f"{name}@example.com", "first_name": "Per", "last_name": "Son", "password": "a password"}
        self.look.create_user(username=name, roles=["Viewer"], **given)
        return name

    def roles_of(self, name: str) -> frozenset[str]:
        found = self.look.user(name)
        assert found, f"{name} is gone"
        return found.roles


@contextmanager
def behind(url: str, api: str, account: tuple[str, str], *, haste: float = 1.0) -> Iterator[Target]:
    look = connect(name="past the proxy", url=url, api=api, auth=PasswordAuth(*account), timeout=30, max_concurrent=32)
    yield Target(url, api, account, look, haste)
    look.close()


@pytest.fixture(params=["3.3.2", "2.11.2"])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    with FakeAirflow(release=request.param) as fake, behind(fake.url, fake.release.api, fake.admin) as target:
        yield target


class Ways:
    """Ways to a target, each through a proxy of its own: what Airflow wants of one client holds for all at its address.

    ways.make("alice", timeout=1) is a client of the proxy ways.proxy("alice"), which has signed in already.
    """

    def __init__(self, target: Target, stack: ExitStack) -> None:
        self._target = target
        self._stack = stack
        self._proxies: dict[str, LossyProxy] = {}
        self._clients: list[Airflow] = []

    def proxy(self, name: str = "") -> LossyProxy:
        if name not in self._proxies:
            self._proxies[name] = self._stack.enter_context(LossyProxy(self._target.url, KINDS))
        return self._proxies[name]

    def make(self, name: str = "", *, timeout: float, signed_in: bool = True) -> Airflow:
        airflow = connect(
            name="prod",
            url=self.proxy(name).url,
            api=self._target.api,
            auth=PasswordAuth(*self._target.account),
            timeout=timeout * self._target.haste,
            max_concurrent=32,
        )
        self._clients.append(airflow)
        if signed_in:
            airflow.check()
            airflow.user(self._target.account[0])  # what is to be found out about this Airflow is found out
            self.proxy(name).forget()
        return airflow

    def end(self) -> None:
        for proxy in self._proxies.values():
            proxy.lift()
        for airflow in self._clients:
            airflow.close()
        for proxy in self._proxies.values():
            # a connection that the client forgot would stay open here
            proxy.wait_until(partial(_all_closed, proxy), what="the client has closed every connection")


def _all_closed(proxy: LossyProxy) -> bool:
    return proxy.connections == 0


@pytest.fixture
def ways(target: Target) -> Iterator[Ways]:
    with ExitStack() as stack:
        ways = Ways(target, stack)
        yield ways
        ways.end()


# --- calls -----------------------------------------------------------------------------------------------------------
@dataclass
class Call:
    """One call of the bridge that no other test makes.

    main: the request at its heart. kind: "read", "write" (twice is as good as once) or "create".
    """

    kind: str
    main: str
    ask: Callable[[Airflow], object]
    happened: Callable[[Target], bool]
    """Whether the target shows the change; for a read, True."""
    untouched: Callable[[Target], bool]
    """Whether it shows what was there before."""


def read_user(target: Target) -> Call:
    name = target.person()
    return Call("read", f"GET .*/users/{name}", lambda airflow: airflow.user(name), _yes, _yes)


def list_users(target: Target) -> Call:
    return Call("read", "GET .*/users", lambda airflow: list(airflow.users()), _yes, _yes)


def read_dag(target: Target) -> Call:
    return Call("read", f"GET .*/dags/{DAG}/details", lambda airflow: airflow.dag(DAG), _yes, _yes)


def set_roles(target: Target) -> Call:
    name = target.person()
    return Call(
        "write",
        f"PATCH .*/users/{name}",
        lambda airflow: airflow.set_roles(name, ["Viewer", "Op"]),
        lambda target: target.roles_of(name) == {"Viewer", "Op"},
        lambda target: target.roles_of(name) == {"Viewer"},
    )


def set_paused(target: Target) -> Call:
    target.look.set_paused(PAUSED_DAG, False)

    def paused(target: Target) -> bool:
        dag = target.look.dag(PAUSED_DAG)
        return dag is not None and dag.paused

    return Call(
        "write",
        f"PATCH .*/dags/{PAUSED_DAG}",
        lambda airflow: airflow.set_paused(PAUSED_DAG, True),
        paused,
        lambda target: not paused(target),
    )


def trigger(target: Target) -> Call:
    run_id, when = unique("run"), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=next(_moments))

    def started(target: Target) -> list[str]:
        return [run.dag_run_id for run in target.look.recent_runs(DAG, 100) if run.dag_run_id == run_id]

    return Call(
        "create",
        "POST .*/dagRuns",
        lambda airflow: airflow.trigger(DAG, dag_run_id=run_id, conf={"region": "KR"}, logical_date=when),
        lambda target: started(target) == [run_id],
        lambda target: started(target) == [],
    )


def create_user(target: Target) -> Call:
    name = unique("newcomer")
    given = {"email": f"{name}@example.com", "first_name": "New", "last_name": "Comer", "password": "a password"}
    return Call(
        "create",
        "POST .*/users",
        lambda airflow: airflow.create_user(username=name, roles=["Viewer"], **given),
        lambda target: [user.username for user in target.look.users()].count(name) == 1,
        lambda target: target.look.user(name) is None,
    )


def create_role(target: Target) -> Call:
    name = unique("role")
    return Call(
        "create",
        "POST .*/roles",
        lambda airflow: airflow.create_role(name, [("can_read", "DAGs")]),
        lambda target: [role.name for role in target.look.roles()].count(name) == 1,
        lambda target: target.look.role(name) is None,
    )


def _yes(target: Target) -> bool:
    return True


READS = {"read_user": read_user, "list_users": list_users, "read_dag": read_dag}
WRITES = {"set_roles": set_roles, "set_paused": set_paused}
CREATES = {"trigger": trigger, "create_user": create_user, "create_role": create_role}
CALLS: dict[str, Callable[[Target], Call]] = {**READS, **WRITES, **CREATES}


# --- outcomes --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Outcome:
    """What a call came to. Whatever else than a BridgeError it raises is raised on, and fails the test."""

    answer: object
    error: BridgeError | None
    seconds: float

    @property
    def name(self) -> str:
        return type(self.error).__name__ if self.error else "ok"


def outcome(call: Callable[[Airflow], object], airflow: Airflow, *, budget: float) -> Outcome:
    """Make the call; whatever comes of it must come within its budget."""
    began = time.monotonic()
    answer, error = None, None
    try:
        answer = call(airflow)
    except BridgeError as failed:
        error = failed
    seconds = time.monotonic() - began
    # the one place where time is asserted: to end in time is what `timeout` promises
    assert seconds <= budget + SLACK, f"{seconds:.1f} s of a budget of {budget:.1f} s: {error!r}"
    return Outcome(answer, error, seconds)


def at_once(jobs: Mapping[str, Callable[[], object]]) -> None:
    """Each in a thread of its own, so that silences are waited out together. Raises what any of them raised."""
    broken: list[Exception] = []

    def run(name: str, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception as error:
            error.add_note(f"this was {name}")
            broken.append(error)

    threads = [threading.Thread(target=run, args=item) for item in jobs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise ExceptionGroup("not as it must be", broken) if len(broken) > 1 else broken[0]


def ask_each(calls: Mapping[str, Call], clients: Mapping[str, Airflow], *, budget: float) -> dict[str, Outcome]:
    """Each call at once, with a client of its own, all within the budget; what they came to, by name."""
    results: dict[str, Outcome] = {}

    def ask(name: str) -> None:
        results[name] = outcome(calls[name].ask, clients[name], budget=budget)

    at_once({name: partial(ask, name) for name in calls})
    return results
