"""Many threads, one client, and faults at random on everything: in the end each change was made once or not at all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.contract.targets import MAIN
from tests.fake_airflow import FakeAirflow
from tests.faults.conftest import CALLS, Call, Outcome, Target, Ways, at_once, behind, outcome
from tests.faults.proxy import LossyProxy
from tests.faults.test_one_fault import OK, TABLE, WAITS
from tests.real_airflow import RealAirflows, on

KNOWN = {"ok", "Unreachable", "TimedOut", "RateLimited", "Unexpected", "Conflict"}
UNDONE = {"Unreachable", "RateLimited"}  # by their own account: nothing was done
THREADS = 4
BUDGET = 1.0
# what one call does to a switch that all share would be undone or done by another
CHOSEN = [name for name in CALLS if name != "set_paused"]
# but for those after which nothing is asked for a while
FAULTS = [fault for fault in TABLE if fault not in WAITS]


# release, seed, rounds
SHORT = [("3.3.2", 1, 2), ("2.11.2", 5, 2)]
LONG = [("3.3.2", 2, 6), ("3.1.6", 3, 3), ("3.0.6", 4, 3), ("2.11.2", 6, 6)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        chosen = LONG if metafunc.config.getoption("--all-releases") else SHORT
        metafunc.parametrize(("release", "seed", "rounds"), chosen)


@pytest.fixture
def target(release: str) -> Iterator[Target]:
    with FakeAirflow(release=release) as fake, behind(fake.url, fake.release.api, fake.admin) as target:
        yield target


def test_faults_at_random(target: Target, ways: Ways, seed: int, rounds: int) -> None:
    campaign(target, ways, seed=seed, rounds=rounds)


@pytest.fixture(params=[pytest.param(name, marks=on(name)) for name in MAIN])
def real_target(request: pytest.FixtureRequest, real_airflows: RealAirflows) -> Iterator[Target]:
    real = real_airflows.get(request.param)
    with behind(real.url, real.api, real.admin, haste=5.0) as target:
        yield target


def test_faults_at_random_before_a_real_airflow(real_target: Target) -> None:
    with ExitStack() as stack:
        ways = Ways(real_target, stack)
        campaign(real_target, ways, seed=3, rounds=2)
        ways.end()


def campaign(target: Target, ways: Ways, *, seed: int, rounds: int) -> None:
    """Every kind of call `rounds` times in each of THREADS threads, through one client."""
    budget = BUDGET * target.haste
    airflow, proxy = ways.make(timeout=BUDGET), ways.proxy()
    calls = [CALLS[name](target) for name in CHOSEN * rounds * THREADS]
    shares = [calls[number::THREADS] for number in range(THREADS)]
    results: dict[int, Outcome] = {}
    proxy.random.seed(seed)
    proxy.at_random(0.35, FAULTS)

    def work(share: list[Call]) -> None:
        for call in share:
            results[id(call)] = outcome(call.ask, airflow, budget=budget)

    at_once({f"thread {number}, seed {seed}": lambda share=share: work(share) for number, share in enumerate(shares)})
    proxy.lift()
    proxy.wait_until_quiet()

    assert len({seen.fault for seen in proxy.seen}) > 10, "many kinds of faults have happened"
    for call in calls:
        check(call, results[id(call)], target)
    check_made_once(proxy)
    patient = ways.make(timeout=8.0)
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


def check_made_once(proxy: LossyProxy) -> None:
    """Nothing that makes something reached Airflow twice: each has a body of its own."""
    made = [seen for seen in proxy.passed_on("POST .*") if not seen.path.endswith("/token")]
    sent = sorted((str(seen), seen.body) for seen in made)
    for what, group in itertools.groupby(sent):
        assert len(list(group)) == 1, f"{what} was sent twice"
    assert sent, "changes were among it"
