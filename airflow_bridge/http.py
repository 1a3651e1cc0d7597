"""Calls to one deployment: signed in, within their time, tried again where that is safe, and every failure a
BridgeError without a credential in it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from airflow_bridge import addresses, answers, clocks, limits
from airflow_bridge.answers import Again, Answer, Asked
from airflow_bridge.auth import Credentials, Session, Signed
from airflow_bridge.auth.credentials import FOREVER
from airflow_bridge.errors import (
    BridgeError,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthorised,
    Unexpected,
    Unreachable,
)
from airflow_bridge.limits import Gate
from airflow_bridge.redaction import Redactor, secrets_in_body, secrets_in_headers, secrets_of
from airflow_bridge.types import RateLimit
from airflow_bridge.wire import LARGEST, Closed, Lost, NotHttp, NotSent, TooLarge, Wire

Shape = TypeVar("Shape")

ATTEMPTS = 4
BACKOFF = 0.4  # seconds; doubles with every attempt
JSON = {"Content-Type": "application/json"}
_random = secrets.SystemRandom()
_wait = time.sleep


class _Failed(Exception):
    """One attempt failed with `error`; `again` says whether the call may be sent once more without harm."""

    def __init__(self, error: BridgeError, *, again: bool, at_once: bool = False) -> None:
        self.error = error
        self.again = again
        self.at_once = at_once


class Http:
    """The calls to one deployment with one account. Thread-safe.

    budget: seconds that one call may take in all: signing in, waiting and trying again included.
    max_concurrent: calls that all clients of this deployment in this process make at once.
    """

    recognised: Callable[[], bool] | None = None
    """Asked after a 403 where that may as well mean a wrong password (Airflow 2): whether we are known at all."""

    def __init__(
        self,
        *,
        name: str,
        url: str,
        auth: Credentials,
        budget: float,
        allow_plain_http: bool = False,
        ca_bundle: str = "",
        max_concurrent: int = 8,
    ) -> None:
        addresses.check(name, url, allow_plain_http=allow_plain_http)
        if max_concurrent < 1:
            raise Rejected(f"{name}: max_concurrent must be 1 or more.", field="max_concurrent")
        self.name = name
        self.auth = auth
        self.rate_limit: RateLimit | None = None
        self.clock_ahead: float | None = None
        self._budget = budget
        self._whole = threading.local()
        self._allow_plain_http = allow_plain_http
        self._max_concurrent = max_concurrent
        self._gate = Gate.of(url)
        self._wire = Wire(url=url, ca_bundle=ca_bundle, connections=max_concurrent)
        self.is_closed = False
        self.ahead = ThreadPoolExecutor(max_concurrent, thread_name_prefix="airflow-pages")  # asks for the next pages
        self._redactor = Redactor()
        self._sessions: dict[Credentials, Session] = {}
        self._session(auth)

    def close(self) -> None:
        """Waits for a page that is being asked for ahead, as long as a call may take at most."""
        self.is_closed = True
        self.ahead.shutdown(cancel_futures=True)
        self._wire.close()

    def hiding(self, secrets: Iterable[str]) -> AbstractContextManager[None]:
        """Hide these in the errors that this thread meets meanwhile, as the credentials are hidden in all."""
        return self._redactor.hiding(secrets)

    def pause(self, seconds: float) -> None:
        """Wait a moment within what is left of the call's time."""
        _wait(max(0.0, min(seconds, self._deadline() - time.monotonic())))

    def whole(self) -> AbstractContextManager[None]:
        """All that this thread asks meanwhile shares one budget: a change and its reading back are one call."""
        return self._until(self._deadline())

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """All that this thread asks meanwhile is over after `seconds`, or earlier."""
        return self._until(min(self._deadline(), time.monotonic() + seconds))

    def _deadline(self) -> float:
        """The moment (time.monotonic) by which a call that begins now must be over."""
        return getattr(self._whole, "deadline", None) or time.monotonic() + self._budget

    @contextmanager
    def _until(self, deadline: float) -> Iterator[None]:
        before: float | None = getattr(self._whole, "deadline", None)
        self._whole.deadline = deadline
        try:
            yield
        finally:
            self._whole.deadline = before

    def call(
        self,
        method: str,
        path: str,
        *,
        what: str,
        shape: Callable[[Any], Shape],
        needs: str = "",
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str | int] | None = None,
        again: Again | None = None,
        auth: Credentials | None = None,
        signed_in: bool = True,
        accept: str = "",
        suspicious: bool = True,
    ) -> Shape:
        """Ask, and give what `shape` makes of the answer's JSON (of its text, where `accept` is another type).

        what, needs, again: see `Asked`; reads may always be sent again. auth: other credentials than the client's own.
        suspicious: whether a 403 may be looked into with `recognised`.
        Raises BridgeError's children.
        """
        asked = Asked(
            deployment=self.name,
            account=(auth or self.auth).account,
            what=what,
            needs=needs,
            writes=method != "GET",
            again=again or (Again.ANY if method == "GET" else Again.UNSENT),
        )
        content = answers.encode(asked, body)
        headers = ({"Accept": accept} if accept else {}) | (JSON if content is not None else {})
        deadline = self._deadline()
        attempt, renewed = 0, False
        lost: TimedOut | None = None
        pause = self._gate.opens_in
        while True:
            if time.monotonic() + pause >= deadline:
                raise lost or self._too_late(asked, pause)
            if pause:
                _wait(pause)
            attempt += 1
            session = self._session(auth or self.auth) if signed_in else None
            signed = Signed({})
            try:
                if session is not None:
                    signed = self._signed(session, asked, deadline)
                answer = self._attempt(method, path, asked, content, {**headers, **signed.headers}, params, deadline)
                if session is not None and answer.signing_refused:
                    session.refused(signed)
                    raise _Failed(answers.error(answer, asked), again=_renewable(signed) and not renewed, at_once=True)
                return answers.shaped(answers.read(answer, asked, text=bool(accept)), shape, asked)
            except _Failed as failed:
                if isinstance(failed.error, TimedOut) and asked.writes:
                    lost = failed.error
                renewed = renewed or failed.at_once
                pause = (
                    0.0
                    if failed.at_once
                    else max(_jitter(attempt), self._gate.opens_in, failed.error.retry_after or 0.0)
                )
                if not failed.again or attempt >= ATTEMPTS or time.monotonic() + pause >= deadline:
                    # an earlier attempt without an answer may have done it, whatever the last one met
                    raise (lost or failed.error) from None
            except NotFound:
                if lost and method == "DELETE":
                    return shape(None)  # the attempt without an answer has done it
                raise
            except Forbidden as error:
                if not suspicious or self._is_recognised(deadline):
                    raise lost or error from None
                if session is None or renewed or not _renewable(signed):
                    raise lost or Unauthorised(answers.not_recognised(asked)) from None
                session.refused(signed)
                renewed, pause = True, 0.0

    def _is_recognised(self, deadline: float) -> bool:
        """Whether a 403 is meant as one."""
        if self.recognised is None:
            return True
        with self._until(deadline):
            return self.recognised()

    def _too_late(self, asked: Asked, pause: float) -> BridgeError:
        if not pause:
            return Unreachable(f"{asked}, but the time for it was over before anything was sent. Try again later.")
        return RateLimited(
            f"{asked}, but it wants no calls for another {pause:.0f} s. Wait before asking again.",
            retry_after=pause,
            rate_limit=self.rate_limit,
        )

    def _signed(self, session: Session, asked: Asked, deadline: float) -> Signed:
        try:
            return session.get(deadline)
        except (Unreachable, RateLimited, Unexpected) as error:
            raise _Failed(error, again=True) from None  # nothing of the call itself was sent
        except UnicodeEncodeError:
            raise Rejected(f"{asked}, but our credentials have characters that cannot be sent.", field="auth") from None

    def _attempt(
        self,
        method: str,
        path: str,
        asked: Asked,
        content: bytes | None,
        headers: Mapping[str, str],
        params: Mapping[str, str | int] | None,
        deadline: float,
    ) -> Answer:
        with self._place(asked, deadline):
            left = deadline - time.monotonic()
            # a read that hangs leaves time for a second one, a write for looking what became of it: it is not sent
            # again while the first may be on its way
            timeout = max(left / 2, left - self._budget / 4) if asked.writes else min(self._budget / 2, left)
            answer = self._send(method, path, asked, content=content, params=params, headers=headers, timeout=timeout)
        if answer.status >= 500 or answer.status == 429:
            over = asked.again is Again.OVER and answer.status == 500
            raise _Failed(answers.error(answer, asked), again=asked.again is Again.ANY or over)
        return answer

    @contextmanager
    def _place(self, asked: Asked, deadline: float) -> Iterator[None]:
        try:
            with self._gate.passage(self._max_concurrent, deadline):
                yield
        except TimeoutError:
            words = f"{asked}, but {self._max_concurrent} calls to it were already on their way. Try again later."
            raise _Failed(RateLimited(words, retry_after=1.0), again=False) from None

    def _send(
        self,
        method: str,
        url: str,
        asked: Asked,
        *,
        content: bytes | None,
        params: Mapping[str, str | int] | None,
        headers: Mapping[str, str],
        timeout: float,
    ) -> Answer:
        """One request, one answer. Raises _Failed."""
        timeout = max(0.05, timeout)
        sent = time.time()
        try:
            answer = self._wire.send(method, url, headers=headers, content=content, params=params, timeout=timeout)
        except NotSent as error:
            why = "its certificate cannot be trusted" if error.untrusted else "there is no connection to it"
            todo = "Check its certificate." if error.untrusted else "Check that it runs and that its address is right."
            raise _Failed(Unreachable(f"{asked}, but {why}. {todo}"), again=not error.untrusted) from None
        except Closed:
            raise _Failed(answers.closed(str(asked)), again=False) from None
        except NotHttp:
            raise _Failed(Unexpected(f"{asked}, but the request cannot be put into HTTP."), again=False) from None
        except TooLarge:
            words = f"{asked} and answered with more than {LARGEST // 2**20} MB."
            raise _Failed(Unexpected(words), again=False) from None
        except Lost as error:
            came = f"gave no answer within {timeout:.0f} s" if error.silent else "broke off its answer"
            todo = answers.UNKNOWN if asked.writes else "Try again later."
            again = asked.again is Again.ANY and not (asked.writes and error.silent)
            raise _Failed(TimedOut(f"{asked} and {came}. {todo}"), again=again) from None
        if url.startswith("/"):  # the place that gives out tokens speaks for itself alone
            self.rate_limit = limits.rate_limit(answer.headers) or self.rate_limit
            if (ahead := clocks.ahead(answer.headers, sent=sent, received=time.time())) is not None:
                self.clock_ahead = ahead
            if answer.status in (429, 503) and (seconds := limits.retry_after(answer.headers)):
                self._gate.close(seconds)
        return replace(answer, hide=self._redactor.anywhere)

    def _session(self, auth: Credentials) -> Session:
        if auth not in self._sessions:
            self._redactor.add(secrets_of(auth))
            self._sessions[auth] = Session(lambda deadline: self._sign_in(auth, deadline))
        return self._sessions[auth]

    def _sign_in(self, auth: Credentials, deadline: float) -> Signed:
        signed = auth.sign_in(_Asking(self, auth, deadline))
        self._redactor.add_recent(secrets_in_headers(signed.headers))
        return signed


class _Asking:
    """The `Ask` of one attempt to sign in; half of what is left of the call's time, so that a second one fits."""

    def __init__(self, http: Http, auth: Credentials, deadline: float) -> None:
        self._http = http
        self._asked = Asked(deployment=http.name, account=auth.account, what=f"to sign in {auth.account}")
        self.deadline = min(deadline, time.monotonic() + http._budget / 2)

    def send(
        self, method: str, url: str, *, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        if not url.startswith("/"):
            addresses.check(str(self._asked), url, allow_plain_http=self._http._allow_plain_http, field="token_url")
        timeout = self.deadline - time.monotonic()
        headers = headers or {}
        self._http._redactor.add_recent(secrets_in_body(content) + secrets_in_headers(_authorization(headers)))
        try:
            return self._http._send(
                method, url, self._asked, content=content, params=None, headers=headers, timeout=timeout
            )
        except _Failed as failed:
            # even where no answer came in time: of the call that needs it nothing was done
            raise Unreachable(str(failed.error), retry_after=failed.error.retry_after) from None

    def read(self, answer: Answer, *names: str) -> Any:
        def shape(body: Any) -> Any:
            for name in names:
                body[name]
            return body

        return answers.shaped(answers.read(answer, self._asked), shape, self._asked)


def _authorization(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() in ("authorization", "cookie")}


def _renewable(signed: Signed) -> bool:
    """What lives for ever is the same the second time."""
    return signed.life < FOREVER


def _jitter(attempt: int) -> float:
    """Seconds to the next attempt: anything up to a bound that doubles, so that clients fall out of step."""
    return _random.uniform(0.0, BACKOFF * 2 ** (attempt - 1))
