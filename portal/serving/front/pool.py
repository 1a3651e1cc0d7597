"""Threads for synchronous work, used from an event loop; who finds none free waits for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

Result = TypeVar("Result")


class Busy(Exception):
    """No thread became free in time, or none could be started."""


class Pool:
    """At most `threads` calls at once."""

    def __init__(self, threads: int, *, name: str) -> None:
        self._free = asyncio.Semaphore(threads)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, work: Callable[[], Result], *, wait: float) -> Result:
        """What `work` returns or raises, called in a thread. Raises Busy after `wait` seconds without a free thread and
        where none can be started; `work` is not called then.

        Whoever stops waiting for the result leaves the thread busy until `work` ends by itself.
        """
        try:
            async with asyncio.timeout(wait):
                await self._free.acquire()
        except TimeoutError:
            raise Busy from None
        loop = asyncio.get_running_loop()
        done: Future[Result] = Future()
        done.add_done_callback(lambda _: _tell(loop, self._free.release))
        try:
            self._executor.submit(_call, work, done).add_done_callback(lambda _: done.cancel())  # by `close`
        except RuntimeError as error:  # no thread can be started, but the executor has queued the call
            if done.cancel():  # otherwise a thread that became free has begun it
                raise Busy from error
        return await asyncio.wrap_future(done)

    def later(self, work: Callable[[], object]) -> None:
        """Call `work` as soon as a thread is free; nobody waits for it."""
        with suppress(RuntimeError):  # no thread can be started: it is queued for the next one that becomes free
            self._executor.submit(work)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _call(work: Callable[[], Result], done: Future[Result]) -> None:
    """Put what `work` returns or raises into `done`; nothing where that was cancelled."""
    if not done.set_running_or_notify_cancel():
        return
    try:
        done.set_result(work())
    except BaseException as error:
        done.set_exception(error)


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)
