"""Threads for synchronous work, used from an event loop. A call waits a limited time for a free thread."""

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
        """Call `work` in a thread and return its result or raise its exception.

        Raises Busy if no thread is free within `wait` seconds, or if none can be started. `work` is not called then.
        A caller that stops waiting for the result leaves the thread busy until `work` has ended.
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
        except RuntimeError as error:  # no thread can be started, but the call is queued
            if done.cancel():  # if that fails, a free thread has already begun it
                raise Busy from error
        return await asyncio.wrap_future(done)

    def later(self, work: Callable[[], object]) -> None:
        """Call `work` as soon as a thread is free, without waiting for it."""
        with suppress(RuntimeError):  # no thread can be started: the call stays queued
            self._executor.submit(work)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _call(work: Callable[[], Result], done: Future[Result]) -> None:
    """Put the result or the exception of `work` into `done`, unless `done` was cancelled."""
    if not done.set_running_or_notify_cancel():
        return
    try:
        done.set_result(work())
    except BaseException as error:
        done.set_exception(error)


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)
