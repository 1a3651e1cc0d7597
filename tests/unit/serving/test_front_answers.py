"""The front of the web process: answers, slow readers, and answers that are cut off."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from portal.serving.front.answer import Answer
from portal.serving.front.app import Limits, _leave
from portal.serving.front.pool import Pool
from tests.unit.serving.front_calls import TIMEOUT, Application, Call, Message, front, long_answer, run, settle


def test_a_long_answer_arrives_complete_and_in_order() -> None:
    async def scenario() -> None:
        call = await Call("GET", "/export").through(front(Application(long_answer(7))))
        assert call.body == b"".join(long_answer(7)())
        assert call.complete

    run(scenario)


def test_stalled_readers_hold_no_thread() -> None:
    async def scenario() -> None:
        door = front(Application(long_answer(5)))
        held = [asyncio.create_task(Call("GET", "/export", taken=1).through(door)) for _ in range(20)]
        await settle()
        quick = await Call("GET", "/export").through(door)
        assert quick.complete
        for task in held:
            task.cancel()

    run(scenario)


def test_an_answer_cut_off_does_not_look_complete(caplog: pytest.LogCaptureFixture) -> None:
    """The reader was too slow: the answer is closed, and its end is never sent."""
    caplog.set_level("WARNING", "portal.serving.front")

    async def scenario() -> None:
        closed: list[str] = []
        door = front(Application(long_answer(5, closed)), limits=Limits(piece=0.01))
        call = Call("GET", "/export", taken=1)
        task = asyncio.create_task(call.through(door))
        while not closed:
            await asyncio.sleep(0)
        assert not call.complete
        call.left.set()
        await task
        assert not call.complete

    run(scenario)
    assert caplog.messages == ["an answer was cut off: its reader was too slow"]


def test_an_answer_that_fails_half_way_does_not_look_complete(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "portal.serving.front")

    def parts() -> Iterator[bytes]:
        yield b"x" * 300_000
        raise RuntimeError("the database went away")

    async def scenario() -> None:
        call = Call("GET", "/export")
        task = asyncio.create_task(call.through(front(Application(parts))))
        while not call.body:
            await asyncio.sleep(0)
        await settle()
        call.left.set()
        await task
        assert not call.complete

    run(scenario)
    assert caplog.messages == ["an answer was cut off: the database went away"]


class Export:
    """An endless answer with a reference to it, as web frameworks hold one: only `close` ends it."""

    def __init__(self) -> None:
        self.closed = threading.Event()
        self.go = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        while not self.closed.is_set():
            yield b"x" * 300_000

    def close(self) -> None:
        self.closed.set()

    async def is_closed(self) -> None:
        while not self.closed.is_set():
            await asyncio.sleep(0)


def test_an_answer_without_a_reader_is_closed() -> None:
    async def scenario() -> None:
        made = Export()
        call = Call("GET", "/export", taken=1)
        call.left.set()
        await call.through(front(Application(lambda: made)))
        await made.is_closed()
        assert not call.complete

    run(scenario)


def test_an_answer_whose_caller_left_before_its_beginning_is_closed() -> None:
    class Broken(Call):
        async def send(self, message: Message) -> None:
            raise ConnectionError

    async def scenario() -> None:
        made = Export()
        with pytest.raises(ConnectionError):
            await Broken("GET", "/export").through(front(Application(lambda: made)))
        await made.is_closed()

    run(scenario)


def test_an_answer_whose_reader_leaves_right_before_its_beginning_is_closed_when_it_begins() -> None:
    made = Export()
    answer = Answer(Application(lambda: made), {"wsgi.input": io.BytesIO()})
    _leave(answer, Pool(1, name="test"))
    answer.begin()
    assert made.closed.is_set()
    assert not answer.is_open


def test_an_answer_that_begins_when_nobody_waits_any_more_is_closed() -> None:
    async def scenario() -> None:
        made, application = Export(), Application()

        def slow() -> Any:
            made.go.wait(TIMEOUT)
            return made

        application.parts = slow
        task = asyncio.create_task(Call("GET", "/export").through(front(application)))
        while not application.read:
            await asyncio.sleep(0)
        task.cancel()
        await settle()
        made.go.set()
        await made.is_closed()

    run(scenario)
