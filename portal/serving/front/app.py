"""The front: one ASGI application between the server and the portal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from portal.core.peers import Proxies
from portal.serving.front import body as bodies
from portal.serving.front.answer import Answer, Application, refusal
from portal.serving.front.body import Bodies, Receive
from portal.serving.front.environ import environ_of
from portal.serving.front.pool import Busy, Pool

log = logging.getLogger(__name__)
Send = Callable[[dict[str, Any]], Awaitable[None]]
Known = Callable[[dict[str, Any]], bool]
ALIVE = "/health/live"
ALIVE_HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]
HEALTH = "/health/"
SIGN_IN = "/login"


class TooLong(Exception):
    """The answer did not begin in time. Its thread continues."""


@dataclass(frozen=True)
class Limits:
    """Limits for one call, in seconds and bytes."""

    body: float = 20.0
    thread: float = 20.0
    """Wait for a free thread."""
    answer: float = 60.0
    """Wait for the first piece of the answer."""
    piece: float = 60.0
    """Wait for the caller to read a piece of the answer."""
    longest: int = 512 * 1024
    """Size of a body. A form with 64 KiB of parameters has at most three times as many bytes, escaped."""
    longest_unknown: int = 16 * 1024
    """Size of the body of the sign-in form. It is the only body that is read before the caller is authenticated."""
    room: int = 64 * 1024 * 1024
    """Total size of all bodies that are being read, or whose answer has not begun."""


class Front:
    """Passes complete calls on to `application`, in one of `threads`.

    known: whether the caller is authenticated, judged from the headers alone; called in a thread. The front reads only
    the bodies of such calls, and that of the sign-in form. The application refuses other calls without a body.
    Health checks have their own threads. The front itself answers whether the process is alive.
    """

    def __init__(
        self, application: Application, *, threads: int, known: Known, proxies: Proxies, limits: Limits | None = None
    ) -> None:
        self._application = application
        self._known = known
        self._proxies = proxies
        self._limits = limits or Limits()
        self._bodies = Bodies(deadline=self._limits.body, room=self._limits.room)
        self._work = Pool(threads, name="web")
        self._health = Pool(2, name="health")
        self._streams = asyncio.Semaphore(max(1, threads // 2))  # long answers use at most half of the threads
        self._forwarders: set[str] = set()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            await self._serve(scope, receive, send)
        except bodies.Gone:
            return
        except bodies.TooSlow:
            await _refuse(scope, send, 408, "Too slow", "The body did not arrive in time.", "too_slow")
        except bodies.TooLarge as error:
            words = f"At most {error.longest // 1024} KiB are accepted."
            await _refuse(scope, send, 413, "Too large", words, "too_large")
        except TooLong:
            words = (
                f"Gatehouse did not answer within {self._limits.answer:g} seconds. It may still work on this call. "
                "Check whether the call had an effect before you repeat it."
            )
            await _refuse(scope, send, 503, "No answer in time", words, "no_answer_in_time")
        except (bodies.NoRoom, Busy):
            words = "Gatehouse has too many calls at the moment. Try again in a few seconds."
            await _refuse(scope, send, 503, "Busy", words, "busy")

    async def _serve(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] == ALIVE and scope["method"] in ("GET", "HEAD"):
            await _send_complete(send, 200, ALIVE_HEADERS, b'{"status": "ok"}')
            return
        peer = (scope.get("client") or ("",))[0]
        caller = self._proxies.caller(peer, scope["scheme"], scope["headers"])
        if caller.claims:
            self._say_once(peer)
        pool = self._health if scope["path"].startswith(HEALTH) else self._work
        longest = 0
        if pool is self._work and bodies.announced(scope["headers"]) != 0:
            longest = await self._longest_body(scope, environ_of(scope, caller, b""))
        async with self._bodies.read(receive, longest=longest) as body:
            answer = Answer(self._application, environ_of(scope, caller, body))
            piece, more = await self._begun(answer, pool)
        if not more:
            await _send_complete(send, answer.code, answer.headers, piece)
            return
        try:
            await send({"type": "http.response.start", "status": answer.code, "headers": answer.headers})
            await self._stream(answer, piece, receive, send)
        finally:
            _leave(answer, pool)

    async def _longest_body(self, scope: dict[str, Any], environ: dict[str, Any]) -> int:
        """The longest body that is read: 0 if the caller is not authenticated and does not sign in."""
        length = bodies.announced(scope["headers"])
        if scope["path"] == SIGN_IN:
            longest = self._limits.longest_unknown
        elif await self._work.run(lambda: self._known(environ), wait=self._limits.thread):
            longest = self._limits.longest
        else:
            return 0
        if length is not None and length > longest:
            raise bodies.TooLarge(longest)
        return longest

    async def _begun(self, answer: Answer, pool: Pool) -> tuple[bytes, bool]:
        """The first piece of the answer, and whether more may follow. Raises TooLong, Busy."""
        try:
            async with asyncio.timeout(self._limits.answer):
                return await pool.run(answer.begin, wait=self._limits.thread)
        except BaseException as error:  # also if the caller has left
            _leave(answer, pool)
            if isinstance(error, TimeoutError):
                raise TooLong from None
            raise

    async def _stream(self, answer: Answer, piece: bytes, receive: Receive, send: Send) -> None:
        """Send the pieces as the caller reads them. The next one is made while the caller reads the last one."""
        gone = asyncio.ensure_future(_gone(receive))
        more = True
        try:
            while more and not gone.done():
                following = asyncio.ensure_future(self._more(answer))
                try:
                    async with asyncio.timeout(self._limits.piece):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                finally:
                    piece, more = await following
            if not gone.done():
                await send({"type": "http.response.body", "body": piece, "more_body": False})
        except Exception as error:
            log.warning("an answer was cut off: %s", str(error) or "its reader was too slow")
            _leave(answer, self._work)
            # an incomplete file must not look complete: its end is not sent, and the server closes the connection
            await gone
        finally:
            gone.cancel()

    async def _more(self, answer: Answer) -> tuple[bytes, bool]:
        async with self._streams:
            return await self._work.run(answer.more, wait=self._limits.answer)

    def _say_once(self, peer: str) -> None:
        if peer in self._forwarders or len(self._forwarders) > 100:
            return
        self._forwarders.add(peer)
        log.warning(
            "a proxy at %s sends forwarding headers, but is not trusted. If it is yours: GATEHOUSE_TRUSTED_PROXIES=%s. "
            "Until then all callers behind it share its address.",
            peer,
            peer,
        )


def _leave(answer: Answer, pool: Pool) -> None:
    """Close an answer whose caller has gone, without waiting for a thread."""
    answer.leave()
    if answer.is_open:
        pool.later(answer.close)


async def _gone(receive: Receive) -> None:
    """Wait until the caller leaves. The rest of the body, or the message that there is none, comes before that."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(scope: dict[str, Any], send: Send, status: int, title: str, detail: str, reason: str) -> None:
    headers, text = refusal(scope["path"], status, title, detail, reason)
    await _send_complete(send, status, headers, text)


async def _send_complete(send: Send, status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": False})
