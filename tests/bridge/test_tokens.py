"""Signing in: as seldom as possible, as often as needed, by one thread for all."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import airflow_bridge.auth.session
from airflow_bridge import Airflow, PasswordAuth, TokenAuth, Unauthorised, Unreachable
from airflow_bridge.auth import Session, Signed
from airflow_bridge.auth.session import AHEAD, UNKNOWN_LIFE, ahead, lifetime
from tests.fake_airflow import FakeAirflow

SIGN_IN = "POST /auth/token"
FOREVER = 1e9


def test_one_token_serves_many_calls(fake: FakeAirflow, airflow: Airflow) -> None:
    for _ in range(5):
        airflow.user("alice")
    assert len(fake.calls(SIGN_IN)) == 1


def test_the_version_needs_no_token(fake: FakeAirflow, airflow: Airflow) -> None:
    airflow.version()
    assert fake.calls(SIGN_IN) == []


@pytest.mark.parametrize("lose", ["invalidate_tokens", "expire_tokens"])
def test_a_refused_token_is_renewed(fake: FakeAirflow, airflow: Airflow, lose: str) -> None:
    """Airflow answers 403 to a token signed with another key and 401 to an old one; for reads and writes alike."""
    airflow.user("alice")
    getattr(fake, lose)()
    assert airflow.user("alice") is not None
    getattr(fake, lose)()
    assert airflow.set_roles("alice", ["Op"]).roles == {"Op"}
    assert len(fake.calls(SIGN_IN)) == 3
    assert len(fake.calls("PATCH .*")) == 2  # the refused one and the one that was done


def test_a_token_is_renewed_once_per_call(fake: FakeAirflow, airflow: Airflow) -> None:
    fake.fail_next("GET .*/alice", "401", times=9)
    with pytest.raises(Unauthorised, match="credentials"):
        airflow.user("alice")
    assert len(fake.calls("GET .*/alice")) == 2
    assert len(fake.calls(SIGN_IN)) == 2


def test_the_life_of_a_token_is_told_by_the_servers_clock_alone() -> None:
    """One from the year 1970 that lives an hour is good for an hour: our clock may be wrong."""
    claims = {"iat": 1_000_000, "exp": 1_000_000 + 3600}
    token = f"header.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.signature"
    assert lifetime(token) == 3600


def test_being_signed_in_lasts_its_life_and_no_longer() -> None:
    made: list[Signed] = []

    def sign_in(deadline: float) -> Signed:
        made.append(Signed({"Number": str(len(made))}, life=0 if len(made) < 2 else 3600))
        return made[-1]

    session = Session(sign_in)
    assert [session.get(FOREVER) for _ in range(5)] == [made[0], made[1], made[2], made[2], made[2]]
    session.refused(made[0])  # an old one: the current one stays
    assert session.get(FOREVER) is made[2]
    session.refused(made[2])
    assert session.get(FOREVER) is made[3]


def test_it_is_renewed_ahead_of_its_end_and_not_by_all_at_once() -> None:
    moments = {ahead(86_400) for _ in range(50)}
    assert len(moments) > 1
    assert all(AHEAD[0] <= moment <= AHEAD[1] for moment in moments)
    assert 0 < ahead(10) <= 2  # a short life is not used up by its renewal


def test_not_permitted_is_no_reason_to_sign_in_again(fake: FakeAirflow, make: Callable[..., Airflow]) -> None:
    fake.add_user("weak", password="weak", roles=["Viewer"])
    airflow = make(auth=PasswordAuth("weak", "weak"))
    for _ in range(3):
        with pytest.raises(Exception, match="403 Forbidden"):
            airflow.user("alice")
    assert len(fake.calls(SIGN_IN)) == 1


def test_a_token_from_elsewhere_is_used_as_it_is(fake: FakeAirflow, make: Callable[..., Airflow]) -> None:
    token = fake.state.make_token(fake.state.users["admin"])
    airflow = make(auth=TokenAuth(token))
    assert airflow.user("alice") is not None
    fake.invalidate_tokens()
    with pytest.raises(Unauthorised) as caught:
        airflow.user("alice")
    assert token not in str(caught.value)
    assert fake.calls(SIGN_IN) == []
    assert len(fake.calls("GET .*/alice")) == 2


def test_many_threads_sign_in_once(fake: FakeAirflow, airflow: Airflow) -> None:
    start = threading.Barrier(8)

    def look(_: int) -> object:
        start.wait()
        return airflow.user("alice")

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, range(8)))
    fake.invalidate_tokens()
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, range(8)))
    assert len(fake.calls(SIGN_IN)) == 2


class WatchedLock:
    """A lock that tells when somebody comes to it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.arrived = threading.Semaphore(0)

    def acquire(self, timeout: float) -> bool:
        self.arrived.release()
        return self.lock.acquire(timeout=timeout)

    def release(self) -> None:
        self.lock.release()


def test_a_wrong_password_is_tried_once_for_all_who_wait() -> None:
    """A directory behind Airflow may lock an account after a few failures."""
    go_on = threading.Event()
    tries: list[float] = []

    def sign_in(deadline: float) -> Signed:
        tries.append(deadline)
        assert go_on.wait(10)
        raise Unauthorised("no")

    session = Session(sign_in)
    session._lock = lock = WatchedLock()

    def get(_: int) -> None:
        with pytest.raises(Unauthorised):
            session.get(FOREVER)

    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(get, number) for number in range(5)]
        for _ in waiting:
            assert lock.arrived.acquire(timeout=10)
        go_on.set()
        for thread in waiting:
            thread.result()
    assert len(tries) == 1

    get(6)  # whoever comes later tries anew: the password may be right by now
    assert len(tries) == 2


def test_waiting_for_another_threads_sign_in_has_an_end() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def sign_in(deadline: float) -> Signed:
        entered.set()
        assert go_on.wait(10)
        return Signed({})

    session = Session(sign_in)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(session.get, FOREVER)
        assert entered.wait(10)
        with pytest.raises(Unreachable, match="too long"):
            session.get(0.0)
        go_on.set()
        assert slow.result() == Signed({})


def test_a_refusal_does_not_wait_for_another_threads_sign_in() -> None:
    entered, go_on = threading.Event(), threading.Event()
    made = [Signed({}), Signed({"Number": "2"}), Signed({"Number": "3"})]
    given = iter(made)

    def sign_in(deadline: float) -> Signed:
        signed = next(given)
        if signed is made[1]:
            entered.set()
            assert go_on.wait(10)
        return signed

    session = Session(sign_in)
    session.refused(session.get(FOREVER))
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(session.get, FOREVER)
        assert entered.wait(10)
        try:
            pool.submit(session.refused, made[0]).result(timeout=5)
        finally:
            go_on.set()
        assert slow.result() is made[1]
    assert session.get(FOREVER) is made[1]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(airflow_bridge.auth.session, "time", clock)
    return clock


def test_what_cannot_be_renewed_ahead_is_used_to_its_end(clock: Clock) -> None:
    tries: list[float] = []
    down = False

    def sign_in(deadline: float) -> Signed:
        tries.append(clock.now)
        if down:
            raise Unreachable("down")
        return Signed({"Number": str(len(tries))}, life=3600)

    session = Session(sign_in)
    first = session.get(FOREVER)
    down = True
    clock.now += 3590
    assert [session.get(FOREVER) for _ in range(3)] == [first] * 3
    assert len(tries) == 2  # and not at every call
    clock.now += 10
    with pytest.raises(Unreachable):
        session.get(FOREVER)
    down = False
    assert session.get(FOREVER) is not first


def test_a_refused_password_is_no_reason_to_go_on_with_the_old_token(clock: Clock) -> None:
    answers: list[Signed | Unauthorised] = [Signed({}, life=3600), Unauthorised("no")]

    def sign_in(deadline: float) -> Signed:
        answer = answers.pop(0)
        if isinstance(answer, Unauthorised):
            raise answer
        return answer

    session = Session(sign_in)
    session.get(FOREVER)
    clock.now += 3590
    with pytest.raises(Unauthorised):
        session.get(FOREVER)


def test_nobody_waits_while_another_thread_renews_ahead(clock: Clock) -> None:
    entered, go_on = threading.Event(), threading.Event()
    made: list[Signed] = []

    def sign_in(deadline: float) -> Signed:
        if made:
            entered.set()
            assert go_on.wait(10)
        made.append(Signed({"Number": str(len(made))}, life=3600))
        return made[-1]

    session = Session(sign_in)
    session.get(FOREVER)
    clock.now += 3590
    with ThreadPoolExecutor(2) as pool:
        renewing = pool.submit(session.get, FOREVER)
        assert entered.wait(10)
        try:
            assert pool.submit(session.get, FOREVER).result(timeout=5) is made[0]
        finally:
            go_on.set()
        assert renewing.result() is made[1]


@pytest.mark.parametrize("token", ["", "a.b", "no jwt", "a.!!!.c", "a.e30.c", "a.W10.c", "a.bnVsbA.c"])
def test_a_token_that_does_not_say_how_long_it_lives(token: str) -> None:
    assert lifetime(token) == UNKNOWN_LIFE
