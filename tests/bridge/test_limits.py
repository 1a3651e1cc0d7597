"""What answers say about how much may be asked, and our own limit on calls at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_bridge import Airflow, PasswordAuth, RateLimit, RateLimited
from airflow_bridge.limits import DAY, LONGEST, Gate, rate_limit, retry_after
from tests.bridge.conftest import Waits
from tests.fake_airflow import FakeAirflow


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "Sat, 01 Jan 2000 00:00:00 GMT"}, 0.0),
        ({"ratelimit-reset": "12"}, 12.0),
        ({"retry-after": "3", "ratelimit-reset": "12"}, 3.0),
        ({"ratelimit": '"default";r=0;t=30'}, 30.0),
        ({"retry-after": "99999999"}, DAY),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, DAY),
        ({"retry-after": "Sat, 01 Jan 99999999999 00:00:00 GMT"}, None),
        ({"retry-after": "Sat, 01 Jan 0001 00:00:00 +2359"}, 0.0),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "9" * 400, "ratelimit-reset": "12"}, 12.0),
        ({"retry-after": "2026-11-21T16:00:00Z"}, None),
        ({"x-ratelimit-reset": "2026-11-21T16:00:00Z", "x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-reset": "2026 seconds"}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_how_long_to_wait_until_a_date() -> None:
    ends = time.gmtime(time.time() + 100)
    seconds = retry_after({"retry-after": time.strftime("%a, %d %b %Y %H:%M:%S GMT", ends)})
    assert seconds is not None
    assert 90 < seconds <= 100


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, None),
        ({"ratelimit": "nonsense"}, None),
        ({"ratelimit-limit": "100", "ratelimit-remaining": "40", "ratelimit-reset": "9"}, RateLimit(100, 40, 9.0)),
        ({"x-ratelimit-limit": "100", "x-ratelimit-remaining": "40"}, RateLimit(100, 40, None)),
        ({"ratelimit-limit": "100, 100;w=60"}, RateLimit(100, None, None)),
        ({"ratelimit-remaining": "9" * 400}, None),
        # RFC 9651, section 4.2: of a malformed field nothing is used
        ({"ratelimit": f"limit={'9' * 400}, remaining=50"}, None),
        ({"ratelimit": f'"default";r=50;t={"9" * 400}'}, None),
        ({"ratelimit": '"default;r=50;t=30', "x-ratelimit-remaining": "4"}, RateLimit(None, 4, None)),
        ({"ratelimit": '"default";r=-1;t=30'}, None),
        ({"ratelimit": '"default";r;t=30'}, None),
        ({"ratelimit": '"default";r="50"'}, None),
        ({"ratelimit": '("a" "b");r=50;t=30'}, None),
        ({"ratelimit": 'default;r=50;t=30.5, "a, b";r=60'}, RateLimit(None, 50, 30.5)),
        (
            {"ratelimit": '"a\\"b";r=5', "ratelimit-policy": '"a\\"b";q=9;qu="requests";pk=:c2VjcmV0:'},
            RateLimit(9, 5, None),
        ),
        ({"ratelimit": '"a";r=5', "ratelimit-policy": '"a";q='}, RateLimit(None, 5, None)),
        ({"ratelimit": "limit=100, remaining=50, reset=30"}, RateLimit(100, 50, 30.0)),
        ({"ratelimit": '"default";r=50;t=30'}, RateLimit(None, 50, 30.0)),
        ({"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60'}, RateLimit(100, 50, 30.0)),
        (
            {
                "ratelimit": '"burst";r=2;t=1, "day";r=900;t=4000',
                "ratelimit-policy": '"burst";q=10;w=1, "day";q=1000;w=86400',
            },
            RateLimit(10, 2, 1.0),
        ),
    ],
)
def test_the_rate_limit_in_every_form(headers: dict[str, str], found: RateLimit | None) -> None:
    assert rate_limit(headers) == found


@given(st.text(max_size=60) | st.text('"abqrtlimereset;=,0159. ()?@%:-', max_size=60))
def test_nothing_that_a_server_writes_there_raises(text: str) -> None:
    for name in ("ratelimit", "ratelimit-policy", "ratelimit-limit", "x-ratelimit-reset", "retry-after"):
        found = rate_limit({"ratelimit": '"a";r=5', name: text})
        assert found is None or isinstance(found, RateLimit)
        seconds = retry_after({name: text})
        assert seconds is None or 0 <= seconds <= DAY


@pytest.mark.parametrize("unit", [1, 1000])
def test_a_reset_that_is_a_moment(unit: int) -> None:
    """In seconds or in milliseconds."""
    found = rate_limit({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str((int(time.time()) + 50) * unit)})
    assert found is not None
    assert found.reset is not None
    assert 40 < found.reset <= 51


def test_callers_see_the_rate_limit(fake: FakeAirflow, airflow: Airflow) -> None:
    assert airflow.rate_limit is None
    fake.rate_limit_headers = {"RateLimit": '"default";r=5;t=30', "RateLimit-Policy": '"default";q=100;w=60'}
    airflow.user("alice")
    assert airflow.rate_limit == RateLimit(100, 5, 30.0)
    fake.fail_next("GET .*/alice", "429", times=9, headers={"RateLimit": '"default";r=0;t=60'})
    with pytest.raises(RateLimited) as caught:
        airflow.user("alice")
    assert caught.value.retry_after == 60


def test_no_more_calls_at_once_than_wanted(fake: FakeAirflow, make: Callable[..., Airflow], waits: Waits) -> None:
    """Of all clients of one deployment together; whoever finds no place in time is told."""
    first = make(max_concurrent=2, timeout=20.0)
    second = make(max_concurrent=2, timeout=1.0, auth=PasswordAuth(*fake.admin))
    first.check()
    second.check()
    fake.fail_next("GET .*/alice", "hang", times=2, seconds=3600)
    with ThreadPoolExecutor(2) as pool:
        hanging = [pool.submit(first.user, "alice") for _ in range(2)]
        _until(lambda: len(fake.calls("GET .*/alice")) == 2)
        with pytest.raises(RateLimited, match="2 calls to it were already on their way"):
            second.user("alice")
        assert len(fake.calls("GET .*/alice")) == 2
        back = threading.Event()
        waits.meanwhile = lambda: back.wait(20)  # or all attempts could be over before it is back
        fake.stop()
        fake.start()
        back.set()
        for call in hanging:
            assert call.result() is not None


def test_a_place_is_given_back_whatever_happens() -> None:
    gate = Gate()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gate.passage(1, 0.0):
            raise ZeroDivisionError
    with gate.passage(1, 0.0), pytest.raises(TimeoutError), gate.passage(1, 0.0):
        pass


def test_one_bad_header_does_not_close_a_deployment_for_good() -> None:
    gate = Gate()
    gate.close(1e9)
    assert LONGEST - 5 < gate.opens_in <= LONGEST


def test_the_gate_of_an_address_is_one() -> None:
    gate = Gate.of("https://airflow.example.com")
    assert Gate.of("https://airflow.example.com/") is gate
    assert Gate.of("https://other.example.com") is not gate


def _until(condition: Callable[[], bool]) -> None:
    turn, deadline = threading.Event(), time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        turn.wait(0.01)
