"""Many threads, one client, and faults at random on everything: in the end each change was made once or not at all."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from airflow_bridge import Airflow
from tests.faults.conftest import CALLS, Call, Outcome, Target, at_once, outcome
from tests.faults.proxy import LossyProxy
from tests.faults.test_one_fault import OK, TABLE

KNOWN = {"ok", "Unreachable", "TimedOut", "RateLimited", "Unexpected", "Conflict"}
UNDONE = {"Unreachable", "RateLimited"}  # by their own account: nothing was done
THREADS = 4
BUDGET = 1.0
# what one call does to a switch that all share would be undone or done by another
CHOSEN = [name for name in CALLS if name != "set_paused"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_faults_at_random(target: Target, proxy: LossyProxy, client: Callable[..., Airflow], seed: int) -> None:
    campaign(target, proxy, client, seed=seed, rounds=3)


def campaign(target: Target, proxy: LossyProxy, client: Callable[..., Airflow], *, seed: int, rounds: int) -> None:
    """Every kind of call `rounds` times in each of THREADS threads, through one client."""
    budget = BUDGET * target.haste
    airflow = client(timeout=BUDGET)
    calls = [CALLS[name](target) for name in CHOSEN * rounds * THREADS]
    shares = [calls[number::THREADS] for number in range(THREADS)]
    results: dict[int, Outcome] = {}
    proxy.random.seed(seed)
    proxy.at_random(0.35, list(TABLE))

    def work(share: list[Call]) -> None:
        for call in share:
            results[id(call)] = outcome(call.ask, airflow, budget=budget)

    at_once({f"thread {number}, seed {seed}": lambda share=share: work(share) for number, share in enumerate(shares)})
    proxy.lift()
    proxy.wait_until_quiet()

    assert len({seen.fault for seen in proxy.seen}) > 10, "many kinds of faults have happened"
    for call in calls:
        check(call, results[id(call)], target)
    check_sent_once(proxy)
    patient = client(timeout=8.0)
    for call in calls:
        done = call.happened(target)
        again = outcome(call.ask, patient, budget=8.0 * target.haste)
        assert again.name in ({OK, "Conflict"} if done and call.kind == "create" else {OK}), again.error
        assert call.happened(target)


def check(call: Call, result: Outcome, target: Target) -> None:
    """Done or not done, never something in between, and never otherwise than was said."""
    assert result.name in KNOWN, result.error
    assert call.happened(target) or call.untouched(target), call.main
    if result.name == OK:
        assert call.happened(target), call.main
    if result.name in UNDONE:
        assert call.untouched(target), (call.main, result.error)


def check_sent_once(proxy: LossyProxy) -> None:
    """No change reached Airflow twice: each has a body or a path of its own."""
    writes = [seen for seen in proxy.passed_on("(PATCH|POST) .*") if not seen.path.endswith("/token")]
    sent = sorted((str(seen), seen.body) for seen in writes)
    for what, group in itertools.groupby(sent):
        assert len(list(group)) == 1, f"{what} was sent twice"
    assert len(sent) > len(proxy.seen) / 10, "changes were among it"
