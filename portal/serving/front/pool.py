"""Threads for synchronous work, used from an event loop; who finds none free waits for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class Busy(Exception):
    """No thread became free in time."""


class Pool:
    """At most `threads` calls at once."""

    def __init__(self, threads: int, *, name: str) -> None:
        self._free = asyncio.Semaphore(threads)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, work: Callable[[], Result], *, wait: float) -> Result:
        """What `work` returns or raises, called in a thread. Raises Busy after `wait` seconds without a free thread.

        Whoever stops waiting for the result leaves the thread busy until `work` ends by itself.
        """
        try:
            async with asyncio.timeout(wait):
                await self._free.acquire()
        except TimeoutError:
            raise Busy from None
        loop = asyncio.get_running_loop()
        try:
            done = self._executor.submit(work)
        except BaseException:  # no thread can be had: the place must not be lost with it
            self._free.release()
            raise
        done.add_done_callback(lambda _: _tell(loop, self._free.release))
        return await asyncio.wrap_future(done)

    def later(self, work: Callable[[], object]) -> None:
        """Call `work` as soon as a thread is free; nobody waits for it."""
        self._executor.submit(work)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)
