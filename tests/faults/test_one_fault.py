"""Every fault at the heart of every kind of call: in time, once, with the right error, and nothing is left broken."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from airflow_bridge import Airflow
from tests.faults.conftest import CALLS, READS, Call, Outcome, Target, ask_each, at_once, outcome
from tests.faults.kinds import KINDS
from tests.faults.proxy import LossyProxy

# fault: (what a read may end as while it lasts, what a write may end as). A write whose answer was lost is never
# "unreachable" or "rate limited", which say that nothing was done.
OK, GONE, LOST, NONSENSE = "ok", "Unreachable", "TimedOut", "Unexpected"
SILENT = ({LOST, GONE}, {LOST})
CUT = ({LOST, GONE}, {LOST})
ODD = ({NONSENSE}, {NONSENSE, LOST})
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
    "wrong_json": ODD,
    "json_list": ODD,
    "empty": ODD,
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
"""After these a read is asked once more."""
NOT_WORTH_ANOTHER = {
    *("slow_before", "slow_after", "hang_up", "429_later", "429_until", "503_later"),
    *("html", "wrong_json", "json_list", "empty", "broken_json"),
}
"""After these it is not: nothing is wrong, or another look would find the same."""


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(KINDS) - {"sluggish"}  # which is for whole calls


@pytest.mark.parametrize("fault", TABLE)
def test_while_it_lasts_and_afterwards(
    target: Target, proxy: LossyProxy, client: Callable[..., Airflow], fault: str
) -> None:
    """Every kind of call at once, each with the fault at its heart only."""
    # a silence is waited out to the end; anything else is over at once, whatever the budget
    budget = 1.0 if fault in SILENCES else 8.0
    calls = {name: make(target) for name, make in CALLS.items()}
    clients = {name: client(timeout=budget) for name in calls}
    for call in calls.values():
        proxy.do(call.main, fault)
    results = ask_each(calls, clients, budget=budget * target.haste)
    proxy.wait_until_quiet()
    for name, call in calls.items():
        check_outcome(fault, name, call, results[name])
        check_done_once(fault, call, target, proxy)

    proxy.lift()
    for name, call in calls.items():
        there_already = call.kind == "create" and fault not in NOT_PASSED_ON
        result = outcome(call.ask, clients[name], budget=budget * target.haste)
        assert result.name in ({OK, "Conflict"} if there_already else {OK}), (name, result.error)
        assert call.happened(target), name


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
    asked = len(proxy.asked(call.main))
    if call.kind == "read":
        assert asked > 1 or fault not in WORTH_ANOTHER, call.main
        assert asked == 1 or fault not in NOT_WORTH_ANOTHER, call.main
        return
    done = fault not in NOT_PASSED_ON
    assert len(proxy.passed_on(call.main)) == (1 if done else 0), call.main
    # a 500 is the end of that attempt, so what can be repeated is; nothing else is sent again
    assert asked == 1 or fault == "500", call.main
    assert call.happened(target) if done else call.untouched(target), call.main


@pytest.mark.parametrize("fault", sorted(WORTH_ANOTHER))
def test_a_read_survives_it_once(target: Target, proxy: LossyProxy, client: Callable[..., Airflow], fault: str) -> None:
    budget = 2.0 if fault in SILENCES else 8.0
    calls = {name: CALLS[name](target) for name in READS}
    clients = {name: client(timeout=budget) for name in calls}

    def ask(name: str) -> None:
        call = calls[name]
        proxy.do(call.main, fault, times=1)
        result = outcome(call.ask, clients[name], budget=budget * target.haste)
        assert result.name == OK, result.error
        assert len(proxy.asked(call.main)) == 2
        assert result.answer == call.ask(target.look)

    at_once({name: partial(ask, name) for name in calls})
