"""Threads for the web server's synchronous work."""

from __future__ import annotations

import asyncio
import threading

import pytest

from portal.serving.front.pool import Pool


def test_a_thread_that_cannot_start_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def use(pool: Pool) -> str:
        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError):
                await pool.run(lambda: "never", wait=0)
        return await pool.run(lambda: "done", wait=60)

    pool = Pool(1, name="test")
    try:
        assert asyncio.run(use(pool)) == "done"
    finally:
        pool.close()
