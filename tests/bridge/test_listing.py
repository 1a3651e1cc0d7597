"""Long lists: read ahead, in a memory that does not grow, nothing missed and nothing twice while they change."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from typing import Any

import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_bridge import Airflow, PasswordAuth, Unexpected, User, connect
from airflow_bridge.paging import SIZE, pages
from tests.fake_airflow import FakeAirflow
from tests.fake_airflow.listener import Half
from tests.fake_airflow.replies import Reply
from tests.fake_airflow.rows import Request

USERS = "/auth/fab/v1/users"
PLENTY = 30.0  # seconds to wait for what must happen


class LongList(FakeAirflow):
    """A fake with as many users as one likes, none of which it keeps.

    Pages from the row `held_from` on are answered once `held` is set.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.add_user("person")
        self.count = count
        self.limit = SIZE
        self.held = threading.Event()
        self.held_from = sys.maxsize
        self.pages_asked = threading.Semaphore(0)
        self.pages_open = 0
        _, content = self._first()
        self._row = next(row for row in content["users"] if row["username"] == "person")

    def answer(self, request: Request) -> Reply | Half | None:
        if request.path != USERS or not request.query:
            return super().answer(request)
        self.pages_open += 1
        self.pages_asked.release()
        offset = int(request.query["offset"])
        if offset >= self.held_from:
            assert self.held.wait(PLENTY)
        numbers = range(offset, min(offset + self.limit, self.count))
        rows = [{**self._row, "username": f"person_{number:05}"} for number in numbers]
        self.pages_open -= 1
        return Reply(200, {"users": rows, "total_entries": self.count})

    def _first(self) -> tuple[int, Any]:
        log_in = dict(zip(("username", "password"), self.admin, strict=True))
        request = Request("POST", "/auth/token", {}, log_in, account="")
        signed_in = super().answer(request)
        assert isinstance(signed_in, Reply)
        token = f"Bearer {signed_in.body['access_token']}"
        reply = super().answer(replace(request, method="GET", path=USERS, body=None, authorization=token))
        assert isinstance(reply, Reply)
        return reply.status, reply.body


@pytest.fixture
def listing() -> Iterator[Callable[[int], tuple[LongList, Airflow]]]:
    made: list[Callable[[], None]] = []

    def make(count: int) -> tuple[LongList, Airflow]:
        server = LongList(count)
        server.start()
        airflow = connect(name="prod", url=server.url, api="v2", auth=PasswordAuth(*server.admin), timeout=2 * PLENTY)
        made.extend([airflow.close, server.close, server.held.set])
        return server, airflow

    yield make
    for undo in reversed(made):
        undo()


# --- memory ----------------------------------------------------------------------------------------------------------
def test_memory_does_not_grow_with_the_list(listing: Callable[[int], tuple[LongList, Airflow]]) -> None:
    """Five times as many users are 2.5 MB more where they are kept."""
    server, airflow = listing(2_000)
    assert sum(1 for _ in airflow.users()) == 2_000  # what is made once, such as the connection
    small = peak(airflow.users)
    server.count = 10_000
    assert peak(airflow.users) < small + 500_000


def peak(users: Callable[[], Iterator[User]]) -> int:
    """The most bytes that were held at once while going through them."""
    gc.collect()
    tracemalloc.start()
    try:
        assert Counter(user.active for user in users())[True] >= 2_000
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- ahead -----------------------------------------------------------------------------------------------------------
def test_the_next_page_is_asked_for_while_this_one_is_handled(
    listing: Callable[[int], tuple[LongList, Airflow]],
) -> None:
    server, airflow = listing(250)
    users = airflow.users()
    assert next(users).username == "person_00000"
    assert server.pages_asked.acquire(timeout=PLENTY)
    assert server.pages_asked.acquire(timeout=PLENTY), "the second page was not asked for"
    for _ in range(SIZE - 1):
        next(users)
    assert not server.pages_asked.acquire(blocking=False), "one page ahead is enough"
    assert len(list(users)) == 150


def test_a_list_of_one_page_is_one_request(listing: Callable[[int], tuple[LongList, Airflow]]) -> None:
    server, airflow = listing(SIZE)
    assert len(list(airflow.users())) == SIZE
    assert server.pages_asked.acquire(timeout=PLENTY)
    assert not server.pages_asked.acquire(blocking=False)


def test_a_list_that_is_not_read_to_its_end_leaves_nothing_behind(
    listing: Callable[[int], tuple[LongList, Airflow]],
) -> None:
    before = set(threading.enumerate())
    server, airflow = listing(1_000)
    server.held_from = 150
    users = airflow.users()
    for _ in range(SIZE + 1):
        next(users)
    for _ in range(3):
        assert server.pages_asked.acquire(timeout=PLENTY)
    users.close()  # does not wait for the third page, which is not answered yet
    assert server.pages_open == 1
    server.held.set()
    airflow.close()
    assert server.pages_open == 0
    assert not server.pages_asked.acquire(blocking=False)
    ours = [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("airflow-pages")]
    assert ours == []


def test_a_server_that_gives_fewer_rows_at_once(listing: Callable[[int], tuple[LongList, Airflow]]) -> None:
    server, airflow = listing(250)
    for server.limit in (40, 2, 1):
        assert [user.username for user in airflow.users()] == [f"person_{number:05}" for number in range(250)]


# --- lists that change -----------------------------------------------------------------------------------------------
class AtOnce(Executor):
    """Asks for the next page before anything of this one is handled, so that what happens when is known."""

    def submit(self, call: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(call(*args, **kwargs))
        return done


Change = tuple[bool, int, int]
"""Whether rows are added, after how many of the list, how many."""


class Changing:
    """A list in order, changed each time after it was asked for a page."""

    def __init__(self, count: int, *, limit: int, changes: list[list[Change]]) -> None:
        self.rows = [Fraction(number) for number in range(count)]
        self.always = set(self.rows)
        self._limit = limit
        self._changes = iter(changes)

    def ask(self, offset: int) -> tuple[list[Fraction], int]:
        answer = self.rows[offset : offset + self._limit], len(self.rows)
        for adds, at, many in next(self._changes, ()):
            if adds:
                low, high = [Fraction(-1), *self.rows][: at + 1][-1], [*self.rows[at:], Fraction(10_000)][0]
                self.rows[at:at] = [low + (high - low) * (number + 1) / (many + 1) for number in range(many)]
            else:
                self.always -= set(self.rows[at : at + many])
                del self.rows[at : at + many]
        return answer


def total(rounds: list[list[Change]]) -> int:
    return sum(many for changes in rounds for _, _, many in changes)


CHANGES = st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 400), st.integers(1, 60)), max_size=4), max_size=12)


@hypothesis.settings(max_examples=150)
@given(
    count=st.integers(0, 400),
    limit=st.integers(2, SIZE),
    changes=CHANGES.filter(lambda rounds: total(rounds) <= 60),
)
# the rows before those that are left of the last ones were given too, long ago
@example(count=400, limit=SIZE, changes=[[], [], [], [(False, 239, 58)]])
# so few are left that they lie between two pages
@example(count=400, limit=10, changes=[[]] * 30 + [[(False, 217, 58)]])
def test_what_stays_is_given_once_whatever_comes_and_goes(count: int, limit: int, changes: list[list[Change]]) -> None:
    listed = Changing(count, limit=limit, changes=changes)
    given = list(pages(listed.ask, key=lambda row: row, ahead=AtOnce(), remember=61))
    assert listed.always <= set(given), "missed"
    assert len(given) == len(set(given)), "given twice"


def test_the_last_pages_are_deleted() -> None:
    """So that the next one begins far behind the place we have reached."""
    rows = list(range(400))
    given = pages(lambda offset: (rows[offset : offset + SIZE], len(rows)), key=lambda row: row, ahead=AtOnce())
    first = [next(given) for _ in range(150)]  # two pages, and the third is there
    del rows[50:290]
    assert first + list(given) == list(range(400))


def test_a_list_that_counts_rows_it_does_not_give_ends() -> None:
    """As where something between us and Airflow leaves rows out."""
    asked: list[int] = []

    def ask(offset: int) -> tuple[list[int], int]:
        asked.append(offset)
        assert len(asked) < 20
        return list(range(150))[offset : offset + SIZE], 200

    with ThreadPoolExecutor(1) as ahead:
        assert list(pages(ask, key=lambda row: row, ahead=ahead)) == list(range(150))


@hypothesis.settings(max_examples=300)
@given(
    count=st.integers(0, 300),
    limit=st.integers(2, 40),
    rounds=st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 300), st.integers(1, 20)), max_size=2)),
    endless=st.booleans(),
)
def test_nothing_is_missed_where_rows_never_stop_coming_and_going(
    count: int, limit: int, rounds: list[list[Change]], endless: bool
) -> None:
    """Over all the time far more than are remembered, though never between two pages."""
    changes = rounds * (5 if endless else 1)
    listed = Changing(count, limit=limit, changes=changes)
    assert listed.always <= set(pages(listed.ask, key=lambda row: row, ahead=AtOnce(), remember=50))


def test_one_row_goes_and_one_comes_time_after_time() -> None:
    """So that the reader is twice at the same place in a list as long as before, and has seen all that is there."""
    goes, comes = [(False, 0, 1)], [(True, 0, 1)]
    listed = Changing(1_000, limit=SIZE, changes=[[], goes, comes, goes, comes])
    found = list(pages(listed.ask, key=lambda row: row, ahead=AtOnce()))
    assert listed.always <= set(found)
    assert len(found) == len(set(found))


# --- servers that do not do as they say ------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [150, 1_500, 5_000])
def test_a_server_that_always_gives_the_first_page(count: int) -> None:
    """As a cache does that looks at the path alone."""
    asked: list[int] = []

    def ask(offset: int) -> tuple[list[int], int]:
        asked.append(offset)
        return list(range(SIZE)), count

    given = pages(ask, key=lambda row: row, ahead=AtOnce(), asked="prod was asked for its users")
    assert [next(given) for _ in range(SIZE)] == list(range(SIZE))
    with pytest.raises(Unexpected, match=f"prod was asked for its users and gave the same 100 rows of {count} again"):
        next(given)
    assert len(asked) < 50


@pytest.mark.parametrize("pages_given", [0, 1, 3])
def test_a_server_that_gives_nothing_of_the_rows_it_counts(pages_given: int) -> None:
    def ask(offset: int) -> tuple[list[int], int]:
        return list(range(pages_given * SIZE))[offset : offset + SIZE], 5_000

    given = pages(ask, key=lambda row: row, ahead=AtOnce())
    assert [next(given) for _ in range(pages_given * SIZE)] == list(range(pages_given * SIZE))
    with pytest.raises(Unexpected, match=f"gave {pages_given * SIZE} rows of the 5000 that it counts"):
        next(given)


def test_an_empty_list_is_no_fault() -> None:
    assert list(pages(lambda offset: ([], 0), key=lambda row: row, ahead=AtOnce())) == []
