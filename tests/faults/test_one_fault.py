"""Every fault at the heart of every kind of call: in time, once, with the right error, and nothing is left broken."""

from __future__ import annotations

import pytest

from airflow_bridge import Airflow
from tests.faults.conftest import CALLS, READS, WRITES, Call, Outcome, Target, Ways, ask_each, outcome
from tests.faults.kinds import KINDS
from tests.faults.proxy import LossyProxy

# fault: (what a read may end as while it lasts, what a write may end as). A write whose answer was lost is never
# "unreachable" or "rate limited", which say that nothing was done; what is read back afterwards may prove it done.
OK, GONE, LOST, NONSENSE = "ok", "Unreachable", "TimedOut", "Unexpected"
SILENT = ({LOST, GONE}, {LOST})
CUT = ({LOST, GONE}, {LOST})
ODD = ({NONSENSE}, {NONSENSE, LOST})
READ_BACK = ({NONSENSE}, {NONSENSE, LOST, OK})
NOT_HTTP = ({NONSENSE, LOST}, {NONSENSE, LOST})
LIMITED = ({"RateLimited"}, {"RateLimited"})
AWAY = ({GONE}, {GONE})
GATEWAY = ({GONE}, {LOST})
LATE = ({OK}, {OK})
TABLE: dict[str, tuple[set[str], set[str]]] = {
    "slow_before": LATE,
    "slow_after": LATE,
    "black_hole": SILENT,
    "mute": SILENT,
    "drip": SILENT,
    "drip_body": SILENT,
    "held_back": SILENT,
    "cut_before": CUT,
    "cut_after": CUT,
    "reset_before": CUT,
    "reset_after": CUT,
    "half_head": CUT,
    "half_answer": CUT,
    "hang_up": LATE,
    "429": LIMITED,
    "429_soon": LIMITED,
    "429_later": LIMITED,
    "429_until": LIMITED,
    "503": AWAY,
    "503_later": AWAY,
    "500": ODD,
    "502": GATEWAY,
    "504": GATEWAY,
    "not_http": NOT_HTTP,
    "html": ODD,
    "wrong_json": READ_BACK,
    "json_list": READ_BACK,
    "empty": READ_BACK,
    "bad_gzip": NOT_HTTP,
    "broken_json": ODD,
}
SILENCES = {name for name, allowed in TABLE.items() if allowed is SILENT}
NOT_PASSED_ON = {"black_hole", "cut_before", "reset_before", "500", "503", "503_later"} | {
    name for name in KINDS if name.startswith("429")
}
WAITS = {"429_later": 60, "429_until": 60, "503_later": 60, "429_soon": 1}
WORTH_ANOTHER = SILENCES | {
    *("cut_before", "cut_after", "reset_before", "reset_after", "half_head", "half_answer"),
    *("429", "429_soon", "500", "502", "503", "504"),
}
"""After these is asked once more what may be: reads, and writes after which everything is as after one."""
NOT_WORTH_ANOTHER = {
    *("slow_before", "slow_after", "hang_up", "429_later", "429_until", "503_later"),
    *("html", "wrong_json", "json_list", "empty", "broken_json"),
}
"""After these it is not: nothing is wrong, or another look would find the same."""
CLOSED = {fault for fault, seconds in WAITS.items() if seconds > 8}
"""After these Airflow is left alone for longer than any call may take."""


# what happens on the way is the same for all; Airflow 2 differs in what a call is made of
AIRFLOW_2 = ["black_hole", "cut_after", "half_answer", "429", "429_later", "500", "504", "html", "wrong_json"]
CASES = [("3.3.2", fault) for fault in TABLE] + [("2.11.2", fault) for fault in AIRFLOW_2]


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(KINDS) - {"sluggish"}  # which is for complete calls


@pytest.mark.parametrize(("target", "fault"), CASES, indirect=["target"])
def test_while_it_lasts_and_afterwards(target: Target, ways: Ways, fault: str) -> None:
    """Every kind of call at once, each with the fault at its heart only."""
    # a silence is waited out to the end; anything else is over at once, whatever the budget
    budget = 1.0 if fault in SILENCES else 8.0
    calls = {name: make(target) for name, make in CALLS.items()}
    clients = {name: ways.make(name, timeout=budget) for name in calls}
    for name, call in calls.items():
        ways.proxy(name).do(call.main, fault)
    results = ask_each(calls, clients, budget=budget * target.haste)
    for name, call in calls.items():
        ways.proxy(name).wait_until_quiet()
        check_outcome(fault, name, call, results[name])
        check_done_once(fault, call, target, ways.proxy(name))
        ways.proxy(name).lift()
    if fault in CLOSED:
        check_left_alone(calls, clients, ways)
    else:
        check_works_again(fault, calls, clients, target)


def check_outcome(fault: str, name: str, call: Call, result: Outcome) -> None:
    allowed = TABLE[fault][0 if call.kind == "read" else 1]
    if name == "trigger" and fault not in NOT_PASSED_ON:
        # the run's id tells whether it was started, unless it starts later still
        allowed = {OK, LOST} if fault == "held_back" else {OK}
    assert result.name in allowed, (name, result.error)
    if result.error is not None and fault in WAITS:
        after = result.error.retry_after
        assert after is not None and WAITS[fault] - 10 < after <= WAITS[fault], (name, after)


def check_done_once(fault: str, call: Call, target: Target, proxy: LossyProxy) -> None:
    asked, done = len(proxy.asked(call.main)), fault not in NOT_PASSED_ON
    if call.kind != "read":
        assert call.happened(target) if done else call.untouched(target), call.main
        assert bool(proxy.passed_on(call.main)) == done, call.main
    if call.kind == "create":
        # a 500 is the end of that attempt; else nothing that makes something is ever sent again
        assert asked == 1 or fault == "500", call.main
    elif call.kind == "write" and fault in SILENCES:
        assert asked == 1, call.main  # the first may still be on its way, and come after a later change
    else:
        assert asked > 1 or fault not in WORTH_ANOTHER, call.main
        assert asked == 1 or fault not in NOT_WORTH_ANOTHER, call.main


def check_works_again(fault: str, calls: dict[str, Call], clients: dict[str, Airflow], target: Target) -> None:
    for name, call in calls.items():
        result = outcome(call.ask, clients[name], budget=8.0 * target.haste)
        there_already = call.kind == "create" and fault not in NOT_PASSED_ON
        assert result.name in ({OK, "Conflict"} if there_already else {OK}), (name, result.error)
        assert call.happened(target), name


def check_left_alone(calls: dict[str, Call], clients: dict[str, Airflow], ways: Ways) -> None:
    """Airflow named a time to come back: until then it is not asked, and the caller is told how long."""
    for name, call in calls.items():
        ways.proxy(name).forget()
        result = outcome(call.ask, clients[name], budget=0.0)
        assert result.name == "RateLimited" and result.error, name
        assert result.error.retry_after is not None and 40 < result.error.retry_after <= 60
        assert ways.proxy(name).seen == []


@pytest.mark.parametrize(("target", "fault"), [case for case in CASES if case[1] in WORTH_ANOTHER], indirect=["target"])
def test_what_may_be_repeated_survives_it_once(target: Target, ways: Ways, fault: str) -> None:
    budget = 2.0 if fault in SILENCES else 8.0
    repeated = READS if fault in SILENCES else [*READS, *WRITES]
    calls = {name: CALLS[name](target) for name in repeated}
    clients = {name: ways.make(name, timeout=budget) for name in calls}
    for name, call in calls.items():
        ways.proxy(name).do(call.main, fault, times=1)
    results = ask_each(calls, clients, budget=budget * target.haste)
    for name, call in calls.items():
        assert results[name].name == OK, (name, results[name].error)
        assert len(ways.proxy(name).asked(call.main)) == 2
        assert call.happened(target)
        if name in ("read_user", "read_dag"):
            assert results[name].answer == call.ask(target.look)
