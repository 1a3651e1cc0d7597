"""A call is more than the request at its heart: signing in before it, reading back after it, all in one budget."""

from __future__ import annotations

import pytest

from tests.faults.conftest import CALLS, CREATES, WRITES, Target, Ways, ask_each, at_once, outcome
from tests.faults.test_one_fault import OK, SILENCES, TABLE, WAITS

SIGN_IN = "POST .*/token"


@pytest.mark.parametrize(
    ("target", "fault"),
    [("3.3.2", fault) for fault in ("black_hole", "drip", "drip_body", "sluggish")] + [("2.11.2", "black_hole")],
    indirect=["target"],
)
def test_one_budget_for_all_requests_of_a_call(target: Target, ways: Ways, fault: str) -> None:
    """A budget this long would show if reading back had one of its own."""
    calls = {name: make(target) for name, make in CALLS.items()}
    clients = {name: ways.make(name, timeout=2.5) for name in calls}
    for name in calls:
        ways.proxy(name).do(".*", fault)
    ask_each(calls, clients, budget=2.5 * target.haste)


@pytest.mark.parametrize("target", ["3.3.2"], indirect=True)
@pytest.mark.parametrize("fault", TABLE)
def test_signing_in_is_part_of_a_call_and_nothing_follows_where_it_fails(
    target: Target, ways: Ways, fault: str
) -> None:
    budget = 1.0 if fault in SILENCES else 8.0
    calls = {name: CALLS[name](target) for name in ("read_user", "set_roles", "trigger", "create_user")}
    clients = {name: ways.make(name, timeout=budget, signed_in=False) for name in calls}
    for name in calls:
        ways.proxy(name).do(SIGN_IN, fault)
    results = ask_each(calls, clients, budget=budget * target.haste)
    for name, call in calls.items():
        ways.proxy(name).wait_until_quiet()
        # of the call itself nothing was done, so its outcome is never unknown
        allowed = {"Unreachable" if kind == "TimedOut" else kind for kind in TABLE[fault][0]}
        if fault == "hang_up":  # unless the call itself went into a connection that was closed that moment
            allowed |= {"TimedOut"}
        assert results[name].name in allowed, (name, results[name].error)
        if results[name].error:
            assert call.untouched(target)
        if OK not in TABLE[fault][0]:
            assert ways.proxy(name).asked(call.main) == [], name
        ways.proxy(name).lift()
    if fault in WAITS:
        return
    for name, call in calls.items():
        assert outcome(call.ask, clients[name], budget=budget * target.haste).name in (OK, "Conflict"), name
        assert call.happened(target)


@pytest.mark.parametrize("fault", ["cut_before", "reset_before", "half_answer", "503", "429", "html", "black_hole"])
def test_what_was_done_but_could_not_be_read_back_is_not_said_to_be_undone(
    target: Target, ways: Ways, fault: str
) -> None:
    budget = 1.0 if fault in SILENCES else 8.0
    calls = {name: CALLS[name](target) for name in [*WRITES, *CREATES]}
    clients = {name: ways.make(name, timeout=budget) for name in calls}
    for name, call in calls.items():
        ways.proxy(name).do("GET .*", fault, after=call.main)
    results = ask_each(calls, clients, budget=budget * target.haste)
    for name, call in calls.items():
        assert call.happened(target)
        assert results[name].name in (OK, "TimedOut", "Unexpected"), (name, results[name].error)
        assert len(ways.proxy(name).passed_on(call.main)) == 1


@pytest.mark.parametrize("target", ["3.3.2"], indirect=True)
def test_a_client_that_has_seen_everything_still_works_and_has_lost_no_connection(target: Target, ways: Ways) -> None:
    """More faults than there may be connections: each must give its connection back."""
    airflow, proxy = ways.make(timeout=0.3), ways.proxy()
    read, write = CALLS["read_user"](target), CALLS["set_roles"](target)
    for fault in [fault for fault in TABLE if fault not in WAITS] * 2:
        for call in (read, write):
            proxy.do(call.main, fault, times=1)
            outcome(call.ask, airflow, budget=0.3 * target.haste)
        proxy.lift()
    assert proxy.opened > 40
    proxy.wait_until(lambda: proxy.connections <= 1, what="no connection is held but the one to be used again")
    before = proxy.opened
    patient = ways.make(timeout=8.0)
    for _ in range(5):
        assert outcome(read.ask, patient, budget=8.0).name == OK
    assert proxy.opened == before + 1, "connections are used again"


@pytest.mark.parametrize("target", ["3.3.2"], indirect=True)
def test_silence_to_many_does_not_block_the_others(target: Target, ways: Ways) -> None:
    """Calls that wait for an answer do not keep those from working that would get one."""
    airflow = ways.make(timeout=2.0)
    silent, loud = CALLS["read_user"](target), CALLS["read_dag"](target)
    ways.proxy().do(silent.main, "black_hole")

    def wait() -> None:
        assert outcome(silent.ask, airflow, budget=2.0 * target.haste).name == "TimedOut"

    def work() -> None:
        for _ in range(5):
            assert outcome(loud.ask, airflow, budget=2.0 * target.haste).name == OK

    at_once({**{f"silent {n}": wait for n in range(4)}, **{f"loud {n}": work for n in range(2)}})
