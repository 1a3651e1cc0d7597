"""Every failure is one of the bridge's errors, in words, whatever stands between us and Airflow."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from airflow_bridge import (
    Airflow,
    BridgeError,
    NotApplied,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthorised,
    Unexpected,
    Unreachable,
    Unsupported,
    answers,
)
from airflow_bridge.answers import Answer, Asked
from tests.fake_airflow import FakeAirflow

READ, WRITE = "GET /auth/fab/v1/users/alice", "PATCH /auth/fab/v1/users/alice"


def read(airflow: Airflow) -> object:
    return airflow.user("alice")


def write(airflow: Airflow) -> object:
    return airflow.set_roles("alice", ["Op"])


@pytest.mark.parametrize(
    ("mode", "of_read", "of_write"),
    [
        ("500", Unexpected, Unexpected),
        ("502", Unreachable, TimedOut),
        ("503", Unreachable, Unreachable),
        ("504", Unreachable, TimedOut),
        ("429", RateLimited, RateLimited),
        ("401", Unauthorised, Unauthorised),
        ("html", Unexpected, Unexpected),
        ("garbage", Unexpected, NotApplied),  # an answer to a write says nothing: what is read back does
        ("close", TimedOut, TimedOut),
        ("drop", TimedOut, TimedOut),
    ],
)
def test_each_failure_has_its_error(
    fake: FakeAirflow, airflow: Airflow, mode, of_read: type[BridgeError], of_write: type[BridgeError]
) -> None:
    for call, pattern, expected in ((write, WRITE, of_write), (read, READ, of_read)):
        fake.fail_next(pattern, mode, times=9)
        with pytest.raises(BridgeError) as caught:
            call(airflow)
        assert type(caught.value) is expected
        words = str(caught.value)
        assert words.startswith("prod ")
        assert "alice" in words
        assert "<" not in words
        assert fake.admin[1] not in words
        if expected is TimedOut and call is write:
            assert "unknown: look before trying again" in words


def test_an_outage(fake: FakeAirflow, airflow: Airflow) -> None:
    airflow.check()
    fake.stop()
    for call in (read, write, lambda airflow: airflow.version(), lambda airflow: airflow.check()):
        with pytest.raises(Unreachable, match="no connection"):
            call(airflow)
    fake.start()
    read(airflow)


def test_silence(fake: FakeAirflow, make: Callable[..., Airflow]) -> None:
    airflow = make(timeout=0.4)
    airflow.check()
    fake.fail_next("(GET|PATCH) .*", "hang", times=9)
    for call in (read, write):
        with pytest.raises(TimedOut, match="no answer within"):
            call(airflow)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("500", Unexpected), ("503", Unreachable), ("429", RateLimited), ("html", Unexpected), ("drop", Unreachable)],
)
def test_a_failing_sign_in_does_not_pass_for_the_call(fake: FakeAirflow, airflow: Airflow, mode, expected) -> None:
    """A write of which nothing was sent is not "unknown"."""
    fake.fail_next("POST /auth/token", mode, times=9)
    with pytest.raises(BridgeError) as caught:
        write(airflow)
    assert type(caught.value) is expected
    assert fake.roles_of("alice") == {"Viewer"}


def test_nobody_is_not_concluded_from_a_strange_server(fake: FakeAirflow, airflow: Airflow) -> None:
    """Only Airflow's own "not found" means that there is no such user."""
    asked = Asked(deployment="prod", account="the account x", what="for the user alice")
    for body, kind in ((b"<html>404</html>", "text/html"), (b'{"detail":"Not Found"}', "application/json"), (b"", "")):
        answer = Answer(404, {"content-type": kind}, body)
        assert type(answers.error(answer, asked)) is Unsupported
    fake.fail_next(READ, "html", times=9)
    with pytest.raises(Unexpected):
        airflow.user("alice")


def test_a_password_that_airflow_repeats_is_not_passed_on() -> None:
    """Airflow 3's 422 repeats all of the input."""
    asked = Asked(deployment="prod", account="the account x", what="to create the user bob", writes=True)
    fault = {"loc": ["body", "email"], "msg": "Too short", "input": {"password": "never-to-be-seen"}}
    answer = Answer(422, {"content-type": "application/json"}, json.dumps({"detail": [fault]}).encode())
    error = answers.error(answer, asked)
    assert type(error) is Rejected
    assert error.field == "email"
    assert "never-to-be-seen" not in str(error)
    assert "never-to-be-seen" not in repr(error.__dict__)


@pytest.mark.parametrize(
    ("detail", "words", "field"),
    [
        (None, "", None),
        ("Plain words", "Plain words", None),
        ([{"loc": ["body", "password"], "msg": "Required", "input": "hush"}], "password: Required", "password"),
        ([{"loc": ["body", "a", 0, "b"], "msg": "no"}, {"msg": "other"}, "odd"], "a.0.b: no; other", "a.0.b"),
        ({"reason": "Unique constraint violation", "statement": "SELECT"}, "Unique constraint violation", None),
        ({"odd": 1}, "", None),
        ([{"loc": None, "msg": "no"}, {"loc": 7, "msg": None}, {"loc": ["body", None, {}]}], "no", None),
        ({"reason": [], "message": "no"}, "no", None),
        ("Invalid input for param a: 'X' is wrong\n\nOn: ...", "Invalid input for param a: 'X' is wrong", "a"),
        ("<p>Some   <b>markup</b></p>", "Some markup", None),
        ("x" * 500, "x" * 400 + "…", None),
        (7, "7", None),
    ],
)  # fmt: skip
def test_explanations_of_every_shape(detail: object, words: str, field: str | None) -> None:
    assert answers.explain(detail) == (words, field)


DEEP = b"[" * 100_000
HUGE = b'{"users": [], "total_entries": 1e999, "last_login": "0001-01-01T00:00:00+23:59"}'


@pytest.mark.parametrize(("status", "body"), [(200, DEEP), (500, DEEP), (422, DEEP), (200, HUGE)])
def test_an_answer_that_python_cannot_hold(
    airflow: Airflow, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes
) -> None:
    airflow.check()
    answer = Answer(status, {"content-type": "application/json"}, body)
    monkeypatch.setattr(airflow._http.sender._wire, "send", lambda *_, **__: answer)
    with pytest.raises(BridgeError):
        list(airflow.users())
    with pytest.raises(BridgeError):
        airflow.user("alice")


def test_a_moment_that_no_calendar_has() -> None:
    asked = Asked(deployment="prod", account="the account x", what="for the user alice")
    with pytest.raises(Unexpected, match="unknown shape"):
        answers.parsed("0001-01-01T00:00:00+23:59", lambda text: datetime.fromisoformat(text).astimezone(UTC), asked)


def test_values_nested_too_deep_for_json(fake: FakeAirflow, airflow: Airflow) -> None:
    conf: dict[str, object] = {}
    for _ in range(100_000):
        conf = {"a": conf}
    with pytest.raises(Rejected, match=r"nested too deep.*Nothing was sent"):
        airflow.trigger("sales_report", dag_run_id="g__1", conf=conf)
    assert fake.state.runs == []


def test_a_client_that_is_closed(fake: FakeAirflow, make: Callable[..., Airflow]) -> None:
    signed_in, other = make(), make()
    signed_in.check()
    for airflow in (signed_in, other):
        airflow.close()
        for call in (read, write, lambda airflow: airflow.version(), lambda airflow: list(airflow.users())):
            with pytest.raises(Unreachable, match="closed"):
                call(airflow)


def test_a_client_that_is_closed_in_the_middle_of_a_list(fake: FakeAirflow, make: Callable[..., Airflow]) -> None:
    fake.add_users(250)
    airflow = make()
    listed = airflow.users()
    next(listed)
    airflow.close()
    with pytest.raises(Unreachable, match=r"asked for its users, but this client of it is closed"):
        list(listed)
