"""Calls to one deployment: signed in, within their time, tried again where that is safe, and every failure a
BridgeError without a credential in it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from airflow_bridge import addresses, answers
from airflow_bridge.answers import Again, Answer, Asked
from airflow_bridge.auth import Credentials, Session, Signed
from airflow_bridge.auth.credentials import FOREVER
from airflow_bridge.budget import Budget
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
from airflow_bridge.redaction import secrets_in_body, secrets_in_headers, secrets_of
from airflow_bridge.sending import Failed, Sender
from airflow_bridge.wire import LARGEST

Value = TypeVar("Value")

ATTEMPTS = 4
BACKOFF = 0.4  # seconds; doubles with every attempt
JSON = {"Content-Type": "application/json"}
_random = secrets.SystemRandom()
_wait = time.sleep


class Http:
    """The calls to one deployment with one account. Thread-safe.

    budget: seconds that one call may take in all: signing in, waiting and trying again included.
    max_concurrent: calls that all clients of this deployment in this process make at once.
    """

    recognised: Callable[[], bool] | None = None
    """Called after a 403 of Airflow 2, which may mean a wrong password: whether our credentials are accepted."""

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
        self.name = name
        self.auth = auth
        self.budget = Budget(budget)
        self.sender = Sender(name=name, url=url, ca_bundle=ca_bundle, max_concurrent=max_concurrent)
        self.is_closed = False
        self.ahead = ThreadPoolExecutor(max_concurrent, thread_name_prefix="airflow-pages")  # asks for the next pages
        self._allow_plain_http = allow_plain_http
        self._sessions: dict[Credentials, Session] = {}
        self._session(auth)

    def close(self) -> None:
        """Waits for a page that is being asked for ahead, as long as a call may take at most."""
        self.is_closed = True
        self.ahead.shutdown(cancel_futures=True)
        self.sender.close()

    def pause(self, seconds: float) -> None:
        """Wait a moment within what is left of the call's time."""
        _wait(max(0.0, min(seconds, self.budget.deadline() - time.monotonic())))

    def call(
        self,
        method: str,
        path: str,
        *,
        what: str,
        parse: Callable[[Any], Value],
        needs: str = "",
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str | int] | None = None,
        again: Again | None = None,
        auth: Credentials | None = None,
        signed_in: bool = True,
        accept: str = "",
        suspicious: bool = True,
        largest: int = LARGEST,
    ) -> Value:
        """Send a request, and return what `parse` makes of the answer's JSON (of its text, if `accept` is given).

        what, needs, again: see `Asked`; reads may always be sent again. auth: other credentials than the client's own.
        suspicious: whether `recognised` is asked after a 403. largest: bytes of the answer; a longer one is TooLarge.
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
        deadline = self.budget.deadline()
        attempt, renewed = 0, False
        lost: TimedOut | None = None
        pause = self.sender.gate.opens_in
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
                answer = self._attempt(
                    method, path, asked, content, {**headers, **signed.headers}, params, deadline, largest
                )
                if session is not None and answer.signing_refused:
                    session.refused(signed)
                    raise Failed(answers.error(answer, asked), again=_renewable(signed) and not renewed, at_once=True)
                return answers.parsed(answers.read(answer, asked, text=bool(accept)), parse, asked)
            except Failed as failed:
                if isinstance(failed.error, TimedOut) and asked.writes:
                    lost = failed.error
                renewed = renewed or failed.at_once
                pause = (
                    0.0
                    if failed.at_once
                    else max(_jitter(attempt), self.sender.gate.opens_in, failed.error.retry_after or 0.0)
                )
                if not failed.again or attempt >= ATTEMPTS or time.monotonic() + pause >= deadline:
                    # an earlier attempt without an answer may have been executed
                    raise (lost or failed.error) from None
            except NotFound:
                if lost and method == "DELETE":
                    return parse(None)  # the attempt without an answer was executed
                raise
            except Forbidden as error:
                if not suspicious or self._is_recognised(deadline):
                    raise lost or error from None
                if session is None or renewed or not _renewable(signed):
                    raise lost or Unauthorised(answers.not_recognised(asked)) from None
                session.refused(signed)
                renewed, pause = True, 0.0

    def stream(
        self, path: str, *, what: str, needs: str, accept: str, params: Mapping[str, str | int], seconds: float
    ) -> Iterator[bytes]:
        """The parts of a long answer, as they arrive, within `seconds` and in bounded memory.

        It is read by one thread. Close it (or read it to its end): until then it takes one of the places for calls.
        Raises BridgeError's children, also between parts.
        """
        asked = Asked(deployment=self.name, account=self.auth.account, what=what, needs=needs, again=Again.UNSENT)
        begin = self.budget.deadline()
        renewed = False
        try:
            while True:
                session = self._session(self.auth)
                signed = self._signed(session, asked, begin)
                headers = {"Accept": accept, **signed.headers}
                with (
                    self.sender.turn(asked, begin),
                    self.sender.open(path, asked, params=params, headers=headers, timeout=seconds) as (answer, parts),
                ):
                    if 200 <= answer.status < 300:
                        answers.check_streamed(answer, asked)
                        yield from parts
                        return
                if not answer.signing_refused or renewed or not _renewable(signed):
                    break
                session.refused(signed)
                renewed = True
        except Failed as failed:
            raise failed.error from None
        if answer.status == 403 and not self._is_recognised(begin):
            raise Unauthorised(answers.not_recognised(asked))
        raise answers.error(answer, asked)

    def _is_recognised(self, deadline: float) -> bool:
        """Whether our credentials are accepted, so that a 403 is about permissions."""
        if self.recognised is None:
            return True
        with self.budget.until(deadline):
            return self.recognised()

    def _too_late(self, asked: Asked, pause: float) -> BridgeError:
        if not pause:
            return Unreachable(f"{asked}, but the time for it was over before anything was sent. Try again later.")
        words = f"{asked}, but it wants no calls for another {pause:.0f} s. Wait before asking again."
        return RateLimited(words, retry_after=pause)

    def _signed(self, session: Session, asked: Asked, deadline: float) -> Signed:
        try:
            return session.get(deadline)
        except (Unreachable, RateLimited, Unexpected) as error:
            raise Failed(error, again=True) from None  # nothing of the call itself was sent
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
        largest: int,
    ) -> Answer:
        with self.sender.turn(asked, deadline):
            left = deadline - time.monotonic()
            # a read that times out leaves time for a second attempt; a write, which is not repeated then, for a
            # read-back
            timeout = (
                max(left / 2, left - self.budget.seconds / 4) if asked.writes else min(self.budget.seconds / 2, left)
            )
            answer = self.sender.send(
                method, path, asked, content=content, params=params, headers=headers, timeout=timeout, largest=largest
            )
        if answer.status >= 500 or answer.status == 429:
            over = asked.again is Again.OVER and answer.status == 500
            raise Failed(answers.error(answer, asked), again=asked.again is Again.ANY or over)
        return answer

    def _session(self, auth: Credentials) -> Session:
        if auth not in self._sessions:
            self.sender.redactor.add(secrets_of(auth))
            self._sessions[auth] = Session(lambda deadline: self._sign_in(auth, deadline))
        return self._sessions[auth]

    def _sign_in(self, auth: Credentials, deadline: float) -> Signed:
        signed = auth.sign_in(_Asking(self, auth, deadline))
        self.sender.redactor.add_recent(secrets_in_headers(signed.headers))
        return signed


class _Asking:
    """The `Ask` of one attempt to sign in, with half of the call's time, so that a second attempt fits."""

    def __init__(self, http: Http, auth: Credentials, deadline: float) -> None:
        self._http = http
        self._asked = Asked(deployment=http.name, account=auth.account, what=f"to sign in {auth.account}")
        self.deadline = min(deadline, time.monotonic() + http.budget.seconds / 2)

    def send(
        self, method: str, url: str, *, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        if not url.startswith("/"):
            addresses.check(str(self._asked), url, allow_plain_http=self._http._allow_plain_http, field="token_url")
        timeout = self.deadline - time.monotonic()
        headers = headers or {}
        self._http.sender.redactor.add_recent(secrets_in_body(content) + secrets_in_headers(_authorization(headers)))
        try:
            return self._http.sender.send(
                method, url, self._asked, content=content, params=None, headers=headers, timeout=timeout
            )
        except Failed as failed:
            # even where no answer came in time: of the call that needs it nothing was done
            raise Unreachable(str(failed.error), retry_after=failed.error.retry_after) from None

    def read(self, answer: Answer, *names: str) -> Any:
        def having_names(body: Any) -> Any:
            for name in names:
                body[name]
            return body

        return answers.parsed(answers.read(answer, self._asked), having_names, self._asked)


def _authorization(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() in ("authorization", "cookie")}


def _renewable(signed: Signed) -> bool:
    """Whether signing in again gives something else."""
    return signed.life < FOREVER


def _jitter(attempt: int) -> float:
    """Full jitter: seconds to the next attempt, up to a bound that doubles."""
    return _random.uniform(0.0, BACKOFF * 2 ** (attempt - 1))
