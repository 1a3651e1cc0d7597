"""The one place that speaks HTTP: sends a call, tries again where that is safe, makes every failure a BridgeError."""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from airflow_bridge import answers
from airflow_bridge.answers import Answer, Asked
from airflow_bridge.auth import Credentials, PasswordAuth, TokenAuth, Tokens
from airflow_bridge.errors import (
    BridgeError,
    Conflict,
    NotFound,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthorised,
    Unexpected,
    Unreachable,
    Unsupported,
)

Shape = TypeVar("Shape")

CONNECT = 3.0  # seconds to get a connection
ATTEMPTS = 3
PAGE = 100  # rows; more is silently cut to this
LARGEST = 64 * 2**20  # bytes of one answer
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
    """

    def __init__(
        self, *, name: str, url: str, auth: Credentials, budget: float, sign_in: str, allow_plain_http: bool = False
    ) -> None:
        local = _check_address(name, url, allow_plain_http)
        if isinstance(auth, TokenAuth) and not re.fullmatch(r"[!-~]+", auth.token):
            raise Rejected(f"{name}: its token is empty or has characters that no token has.", field="token")
        self.name = name
        self.account = f"the account {auth.username}" if isinstance(auth, PasswordAuth) else "the token"
        self._auth = auth
        self._budget = budget
        self._sign_in_path = sign_in
        self._tokens = Tokens(self._sign_in)
        self._client = httpx.Client(
            base_url=url,
            headers={"Accept": "application/json", "User-Agent": "gatehouse-airflow-bridge"},
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=30),
            follow_redirects=False,
            trust_env=not local,  # proxies and certificate authorities of the environment, but never for loopback
        )
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def close(self) -> None:
        self._client.close()

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
        signed_in: bool = True,
        repeatable: bool = False,
    ) -> Shape:
        """Ask, and give the JSON of the answer as `shape` makes it.

        A read is tried again when the network, Airflow or its proxy failed; a write only where it was certainly not
        begun (no connection, a refused token), and a repeatable one also after a 500, as Airflow answers when two write
        to SQLite at once: that attempt is over, so it cannot come after a later one.
        what, needs, repeatable: see `Asked`. Raises BridgeError's children.
        """
        asked = Asked(self.name, self.account, what, needs, writes=method != "GET", repeatable=repeatable)
        content = _encode(asked, body)
        deadline = time.monotonic() + self._budget
        attempt, renewed = 0, False
        while True:
            attempt += 1
            try:
                answer = self._attempt(method, path, asked, content, params, deadline, signed_in, renewed)
                return _shaped(answers.read(answer, asked), shape, asked)
            except _Failed as failed:
                pause = 0.0 if failed.at_once else _pause(attempt, failed.error.retry_after)
                if not failed.again or attempt >= ATTEMPTS or time.monotonic() + pause >= deadline:
                    raise failed.error from None
                renewed = renewed or failed.at_once
                if pause:
                    _wait(pause)

    def pages(
        self, path: str, key: str, *, what: str, shape: Callable[[Any], Shape], order: str, needs: str
    ) -> Iterator[Shape]:
        """All rows of a list, page by page; `order` must be stable, or rows are missed between two pages."""
        offset = 0
        while True:
            rows, total = self.call(
                "GET",
                path,
                what=what,
                needs=needs,
                params={"limit": PAGE, "offset": offset, "order_by": order},
                shape=lambda body: ([shape(row) for row in body[key]], int(body["total_entries"])),
            )
            yield from rows
            offset += len(rows)
            if not rows or offset >= total:
                return

    def _attempt(
        self,
        method: str,
        path: str,
        asked: Asked,
        content: bytes | None,
        params: Mapping[str, str | int] | None,
        deadline: float,
        signed_in: bool,
        renewed: bool,
    ) -> Answer:
        headers, token = {}, ""
        if signed_in:
            try:
                token = self._token(deadline)
            except (Unreachable, RateLimited, Unexpected) as error:
                raise _Failed(error, again=True) from None  # nothing of the call itself was sent
            headers["Authorization"] = f"Bearer {token}"
        # a read that hangs leaves time for a second one; for a write there is no second one
        patience = deadline - time.monotonic() if asked.writes else min(self._budget / 2, deadline - time.monotonic())
        answer = self._send(method, path, asked, content, params, headers, patience)
        if signed_in and answer.token_refused:
            self._tokens.refused(token)
            renewable = isinstance(self._auth, PasswordAuth) and not renewed
            raise _Failed(answers.error(answer, asked), again=renewable, at_once=True)
        if answer.status >= 500 or answer.status == 429:
            again = not asked.writes or (asked.repeatable and answer.status == 500)
            raise _Failed(answers.error(answer, asked), again=again)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        asked: Asked,
        content: bytes | None,
        params: Mapping[str, str | int] | None,
        headers: Mapping[str, str],
        patience: float,
    ) -> Answer:
        """One request, one answer. Raises _Failed."""
        if content is not None:
            headers = {**headers, "Content-Type": "application/json"}
        patience = max(0.05, patience)
        ends = time.monotonic() + patience
        timeout = httpx.Timeout(patience, connect=min(CONNECT, patience), pool=min(CONNECT, patience))
        try:
            with self._client.stream(
                method, path, content=content, params=params, headers=headers, timeout=timeout
            ) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > LARGEST:
                        raise _Failed(
                            Unexpected(f"{asked} and answered with more than {LARGEST // 2**20} MB."), again=False
                        )
                    if time.monotonic() > ends:  # httpx only limits the silence between two chunks
                        raise httpx.ReadTimeout("trickling")
                lower = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, lower, bytes(body))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            untrusted = "CERTIFICATE_VERIFY_FAILED" in str(error)
            why = "its certificate cannot be trusted" if untrusted else "there is no connection to it"
            todo = "Check its certificate." if untrusted else "Check that it runs and that its address is right."
            raise _Failed(Unreachable(f"{asked}, but {why}. {todo}"), again=not untrusted) from None
        except httpx.LocalProtocolError:
            raise _Failed(Unexpected(f"{asked}, but the request cannot be put into HTTP."), again=False) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            # the request left us; only a read can be sent again without knowing what became of it
            silent = isinstance(error, httpx.TimeoutException)
            came = f"gave no answer within {patience:.0f} s" if silent else "broke off its answer"
            todo = "Whether it was done is unknown: look before trying again." if asked.writes else "Try again later."
            raise _Failed(TimedOut(f"{asked} and {came}. {todo}"), again=not asked.writes) from None

    def _token(self, deadline: float) -> str:
        return self._tokens.get(deadline) if isinstance(self._auth, PasswordAuth) else self._auth.token

    def _sign_in(self, deadline: float) -> str:
        """A new token for the password. Never raises what could pass for an answer about a user or a DAG."""
        assert isinstance(self._auth, PasswordAuth)
        asked = Asked(self.name, self.account, f"to sign in {self._auth.username}")
        content = _encode(asked, {"username": self._auth.username, "password": self._auth.password})
        patience = min(self._budget / 2, deadline - time.monotonic())
        try:
            answer = self._send("POST", self._sign_in_path, asked, content, None, {}, patience)
        except _Failed as failed:
            # even where no answer came in time: of the call that needs the token nothing was done
            raise Unreachable(str(failed.error)) from None
        try:
            return _shaped(answers.read(answer, asked), lambda body: str(body["access_token"]), asked)
        except Rejected as error:  # an empty name or password
            raise Unauthorised(str(error)) from None
        except (NotFound, Conflict) as error:  # must not pass for "there is no such user"
            raise Unsupported(f"{error} It does not look like Airflow 3.") from None


def _check_address(name: str, url: str, allow_plain_http: bool) -> bool:
    """Refuse addresses over which a password must not go; says whether it is this machine's own."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise Rejected(f"{name}: its address must look like https://airflow.example.com.", field="url")
    if parts.username or parts.password:
        raise Rejected(f"{name}: its address must not carry a user name or password.", field="url")
    try:
        local = parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        local = False
    if parts.scheme == "http" and not local and not allow_plain_http:
        raise Rejected(
            f"{name}: over http the password could be read on the way; its address must be https.", field="url"
        )
    return local


def _encode(asked: Asked, body: Mapping[str, Any] | None) -> bytes | None:
    if body is None:
        return None
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError):
        raise Rejected(f"{asked}, but with values that JSON does not know (NaN, dates). Nothing was sent.") from None


def _shaped(body: Any, shape: Callable[[Any], Shape], asked: Asked) -> Shape:
    try:
        return shape(body)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise Unexpected(
            f"{asked} and answered JSON of an unknown shape. This release of Airflow may be too new or too old."
        ) from None


def _pause(attempt: int, retry_after: float | None) -> float:
    """Seconds to the next attempt: what Airflow wants, else growing, and spread so that clients fall out of step."""
    backoff: float = _random.uniform(0.5, 1.0) * 0.4 * 2 ** (attempt - 1)
    return max(backoff, retry_after or 0.0)
