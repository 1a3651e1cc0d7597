"""The front of the web process: limits for slow callers, and the environment of the application."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import pytest

from accounts.attempts import SHARED
from portal.core.peers import Proxies, parse
from portal.serving.front import body as bodies
from portal.serving.front.app import Limits
from tests.unit.serving.front_calls import TIMEOUT, Application, Call, front, long_answer, run, settle


# --- bodies ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/api/v1/requests", "/login", "/requests/new"])
def test_incomplete_bodies_block_no_other_call(path: str) -> None:
    async def scenario() -> None:
        application = Application()
        door = front(application)
        slow = [Call("POST", path, body=[b"{"], complete=False) for _ in range(20)]
        held = [asyncio.create_task(call.through(door)) for call in slow]
        await settle()
        assert (await Call("GET", "/").through(door)).body == b"hello"
        assert [environ["PATH_INFO"] for environ in application.seen] == ["/"]
        for task in held:
            task.cancel()

    run(scenario)


def test_a_late_body_times_out() -> None:
    async def scenario() -> None:
        application = Application()
        call = Call("POST", "/api/v1/requests", body=[b"{"], complete=False)
        await call.through(front(application, limits=Limits(body=0)))
        assert (call.status, json.loads(call.body)["reason"]) == (408, "too_slow")
        assert call.sent["connection"] == "close"
        assert application.seen == []

    run(scenario)


def test_a_complete_body_is_passed_on_in_one_piece() -> None:
    async def scenario() -> None:
        application = Application()
        await Call("POST", "/x", body=[b"a" * 1000, b"b"]).through(front(application))
        assert application.read == [b"a" * 1000 + b"b"]
        assert application.seen[0]["CONTENT_LENGTH"] == "1001"

    run(scenario)


def test_an_unauthenticated_body_is_not_read_but_the_application_answers() -> None:
    """The application refuses from the headers alone: with 401, or with a redirect to sign-in."""

    async def scenario() -> None:
        application = Application()
        call = await Call("POST", "/api/v1/requests", body=[b"{"], complete=False).through(
            front(application, known=False)
        )
        assert call.body == b"hello"
        assert application.read == [b""]

    run(scenario)


@pytest.mark.parametrize(("path", "most"), [("/x", 100), ("/login", 10)])
@pytest.mark.parametrize("said", [True, False])
def test_a_body_has_a_size_limit(path: str, most: int, said: bool) -> None:
    async def scenario() -> None:
        limits = Limits(longest=100, longest_unknown=10)
        for length, status in ((most, 200), (most + 1, 413)):
            call = Call("POST", path, body=[b"x" * length])
            if said:
                call.scope["headers"] = [(b"content-length", str(length).encode())]
            assert (await call.through(front(limits=limits))).status == status

    run(scenario)


def test_a_body_that_is_announced_too_long_is_not_read() -> None:
    async def scenario() -> None:
        call = Call("POST", "/x", body=[b"x"], complete=False)
        call.scope["headers"] = [(b"content-length", b"101")]
        await call.through(front(limits=Limits(longest=100, body=0)))
        assert call.status == 413

    run(scenario)


def test_the_answer_names_the_exceeded_limit() -> None:
    async def scenario() -> None:
        for path, most in (("/x", 512), ("/login", 16)):
            call = await Call("POST", path, body=[b"x" * (most * 1024 + 1)]).through(front())
            assert call.body.decode() == f"Too large. At most {most} KiB are accepted.\n"

    run(scenario)


def test_all_bodies_share_a_size_limit_and_release_it() -> None:
    async def scenario() -> None:
        door = front(limits=Limits(room=100))
        slow = asyncio.create_task(Call("POST", "/x", body=[b"x" * 80], complete=False).through(door))
        await settle()
        full = await Call("POST", "/x", body=[b"x" * 30]).through(door)
        assert (full.status, full.sent["retry-after"]) == (503, "5")
        slow.cancel()
        await settle()
        assert (await Call("POST", "/x", body=[b"x" * 30]).through(door)).status == 200

    run(scenario)


@pytest.mark.parametrize(
    ("parts", "end", "error"),
    [
        ([60, 40], "complete", None),
        ([60, 40], "complete", ConnectionError),  # while its answer is made
        ([60, 70], "complete", bodies.TooLarge),
        ([60], "open", bodies.TooSlow),
        ([60], "left", bodies.Gone),
        ([60, 50], "complete", bodies.NoRoom),
    ],
)
def test_a_body_counts_once_and_is_released_after_every_kind_of_end(
    parts: list[int], end: str, error: type[Exception] | None
) -> None:
    async def scenario() -> None:
        held = bodies.Bodies(deadline=0 if end == "open" else TIMEOUT, room=100)

        def reading(*sizes: int, complete: bool = True, left: bool = False) -> AbstractAsyncContextManager[bytes]:
            call = Call("POST", "/x", body=[b"x" * size for size in sizes], complete=complete)
            if left:
                call.left.set()
            return held.read(call.receive, longest=120)

        with pytest.raises(error) if error else nullcontext():
            async with reading(*parts, complete=end == "complete", left=end == "left") as body:
                assert body == b"x" * 100
                if error:
                    raise error
        async with reading(100):
            with pytest.raises(bodies.NoRoom):
                async with reading(1):
                    pass

    run(scenario)


def test_a_body_counts_until_its_answer_has_begun() -> None:
    async def scenario() -> None:
        go, begun = threading.Event(), []

        def busy(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
            begun.append(environ)
            if environ["PATH_INFO"] == "/busy":
                go.wait(TIMEOUT)
            start_response("200 OK", [])
            return [b"done"] if environ["PATH_INFO"] == "/busy" else long_answer(5)()

        door = front(busy, threads=3, limits=Limits(room=100))
        held = [asyncio.create_task(Call("POST", "/busy", body=[b"x" * 40]).through(door)) for _ in range(2)]
        while len(begun) < 2:
            await asyncio.sleep(0)
        assert (await Call("POST", "/x", body=[b"x" * 30]).through(door)).status == 503
        go.set()
        assert [(await task).body for task in held] == [b"done", b"done"]
        slow = [asyncio.create_task(Call("POST", "/x", body=[b"x" * 40], taken=0).through(door)) for _ in range(2)]
        while (await Call("POST", "/busy", body=[b"x" * 30]).through(door)).status == 503:  # they have not begun yet
            await settle()
        for task in slow:
            task.cancel()

    run(scenario)


def test_a_call_ends_when_its_caller_leaves() -> None:
    async def scenario() -> None:
        application = Application()
        call = Call("POST", "/x", body=[b"x"], complete=False)
        task = asyncio.create_task(call.through(front(application)))
        await settle()
        call.left.set()
        assert (await task).status == 0
        assert application.seen == []

    run(scenario)


# --- threads ---------------------------------------------------------------------------------------------------------
def test_health_is_answered_while_every_thread_is_busy() -> None:
    async def scenario() -> None:
        go = threading.Event()

        def busy(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
            if environ["PATH_INFO"] == "/busy":
                go.wait(TIMEOUT)
            start_response("200 OK", [])
            return [environ["PATH_INFO"].encode()]

        door = front(busy, limits=Limits(thread=0.01))
        held = [asyncio.create_task(Call("GET", "/busy").through(door)) for _ in range(2)]
        await settle()
        alive = await Call("GET", "/health/live").through(door)
        assert json.loads(alive.body) == {"status": "ok"}
        assert (alive.sent["cache-control"], alive.sent["x-content-type-options"]) == ("no-store", "nosniff")
        assert (await Call("GET", "/health/ready").through(door)).body == b"/health/ready"
        refused = await Call("GET", "/").through(door)
        assert (refused.status, refused.sent["retry-after"]) == (503, "5")
        go.set()
        assert {(await task).body for task in held} == {b"/busy"}
        assert (await Call("GET", "/").through(door)).status == 200

    run(scenario)


def test_a_call_that_times_out_does_not_free_its_thread() -> None:
    async def scenario() -> None:
        go = threading.Event()

        def busy(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
            go.wait(TIMEOUT)
            start_response("200 OK", [])
            return [b"done"]

        door = front(busy, threads=1, limits=Limits(answer=0.1, thread=0.01))
        slow = await Call("GET", "/api/v1/audit/verify").through(door)
        assert (slow.status, json.loads(slow.body)["reason"]) == (503, "no_answer_in_time")
        assert "retry-after" not in slow.sent, "asking again starts the same work anew"
        full = await Call("GET", "/api/v1/me").through(door)  # the first one still has the only thread
        assert (full.status, json.loads(full.body)["reason"], full.sent["retry-after"]) == (503, "busy", "5")
        go.set()

    run(scenario)


# --- the environment -------------------------------------------------------------------------------------------------
def environ(call: Call, **more: Any) -> dict[str, Any]:
    application = Application()
    run(lambda: call.through(front(application, **more)))
    return application.seen[0]


def test_the_application_sees_what_was_sent() -> None:
    found = environ(
        Call("GET", "/dags/%E2%82%AC%00?q=%20a", headers=[(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-a", b"1")])
    )
    assert (found["PATH_INFO"].encode("latin-1").decode(), found["QUERY_STRING"]) == ("/dags/€\0", "q=%20a")
    assert (found["HTTP_COOKIE"], found["HTTP_X_A"], found["REMOTE_ADDR"]) == ("a=1;b=2", "1", "127.0.0.1")
    assert "CONTENT_LENGTH" not in found


def test_no_header_is_taken_for_another_one() -> None:
    """Left out: names with underscores, forwarding headers, and `Proxy`, which would become HTTP_PROXY."""
    sent = (
        "x_forwarded_for x-forwarded-for x-forwarded-proto x-forwarded-host forwarded x-real-ip remote_addr proxy "
        "authorization_"
    )
    found = environ(Call("GET", "/", headers=[(name.encode(), b"6.6.6.6") for name in sent.split()]))
    assert [name for name, value in found.items() if value == "6.6.6.6"] == []
    assert found[SHARED] is True


def test_the_application_sees_the_caller_behind_a_trusted_proxy() -> None:
    trusted = Proxies(networks=(parse_network("127.0.0.1"),))
    sent = [(b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-proto", b"https"), (b"x_forwarded_for", b"6.6.6.6")]
    found = environ(Call("GET", "/", headers=sent), proxies=trusted)
    assert (found["REMOTE_ADDR"], found["wsgi.url_scheme"], found[SHARED]) == ("198.51.100.1", "https", False)


def parse_network(text: str) -> Any:
    import ipaddress

    assert parse(text)
    return ipaddress.ip_network(text)
