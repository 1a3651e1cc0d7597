"""Threads for the web server's synchronous work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from portal.serving.front.pool import Busy, Pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    """A pool with one thread."""
    pool = Pool(1, name="test")
    yield pool
    pool.close()


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[None]:
    """A context in which no thread can be started."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    @contextmanager
    def full() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            yield

    return full()


def test_work_that_no_thread_can_start_for_is_refused_and_never_called(
    pool: Pool, full: AbstractContextManager[None]
) -> None:
    called = []

    async def use() -> None:
        with full, pytest.raises(Busy):
            await pool.run(lambda: called.append("refused"), wait=0)
        await pool.run(lambda: called.append("taken"), wait=60)

    asyncio.run(use())
    assert called == ["taken"]


def test_later_work_is_called_when_a_thread_is_free(pool: Pool, full: AbstractContextManager[None]) -> None:
    called = []

    async def use() -> None:
        with full:
            pool.later(lambda: called.append("later"))
        await pool.run(lambda: called.append("next"), wait=60)

    asyncio.run(use())
    assert called == ["later", "next"]


def test_closing_the_pool_ends_waiting_calls(pool: Pool) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        let_go.wait(60)

    async def use() -> None:
        pool.later(hold)
        waiting = asyncio.ensure_future(pool.run(lambda: "never", wait=60))
        await asyncio.to_thread(begun.wait, 60)
        pool.close()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, 60)
        let_go.set()

    asyncio.run(use())
