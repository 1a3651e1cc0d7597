"""One request to a deployment: in its turn, within its time, with every failure in words."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from airflow_bridge import answers, clocks, limits, wire
from airflow_bridge.answers import Again, Answer, Asked
from airflow_bridge.errors import BridgeError, RateLimited, Rejected, TimedOut, TooLarge, Unexpected, Unreachable
from airflow_bridge.limits import Gate
from airflow_bridge.redaction import Redactor
from airflow_bridge.types import RateLimit
from airflow_bridge.wire import LARGEST, Closed, Lost, NotHttp, NotSent, Wire

SHORTEST = 0.05  # seconds
LONGEST_ERROR = 2**20  # bytes of an error that are read where the answer is read in parts


class Failed(Exception):
    """One attempt failed with `error`; `again` says whether the call may be sent once more without harm."""

    def __init__(self, error: BridgeError, *, again: bool, at_once: bool = False) -> None:
        self.error = error
        self.again = again
        self.at_once = at_once


class Sender:
    """The requests of one client. Thread-safe. Its gate is shared by all clients of the address."""

    def __init__(self, *, name: str, url: str, ca_bundle: str, max_concurrent: int) -> None:
        if max_concurrent < 1:
            raise Rejected(f"{name}: max_concurrent must be 1 or more.", field="max_concurrent")
        self.gate = Gate.of(url)
        self.redactor = Redactor()
        self.rate_limit: RateLimit | None = None
        self.clock_ahead: float | None = None
        self._max_concurrent = max_concurrent
        self._wire = Wire(url=url, ca_bundle=ca_bundle, connections=max_concurrent)

    def close(self) -> None:
        self._wire.close()

    @contextmanager
    def turn(self, asked: Asked, deadline: float) -> Iterator[None]:
        """One of the places for calls at once. Raises Failed where none is free by the deadline."""
        try:
            with self.gate.passage(self._max_concurrent, deadline):
                yield
        except TimeoutError:
            words = f"{asked}, but {self._max_concurrent} calls to it were already on their way. Try again later."
            raise Failed(RateLimited(words, retry_after=1.0), again=False) from None

    def send(
        self,
        method: str,
        url: str,
        asked: Asked,
        *,
        content: bytes | None,
        params: Mapping[str, str | int] | None,
        headers: Mapping[str, str],
        timeout: float,
        largest: int = LARGEST,
    ) -> Answer:
        """One request, one answer of at most `largest` bytes. Raises Failed."""
        timeout = max(SHORTEST, timeout)
        sent = time.time()
        with self._failures(asked, timeout, largest):
            answer = self._wire.send(
                method, url, headers=headers, content=content, params=params, timeout=timeout, largest=largest
            )
        if url.startswith("/"):  # the place that gives out tokens speaks for itself alone
            self.rate_limit = limits.rate_limit(answer.headers) or self.rate_limit
            if (ahead := clocks.ahead(answer.headers, sent=sent, received=time.time())) is not None:
                self.clock_ahead = ahead
            if answer.status in (429, 503) and (seconds := limits.retry_after(answer.headers)):
                self.gate.close(seconds)
        return replace(answer, hide=self.redactor.anywhere)

    @contextmanager
    def open(
        self, url: str, asked: Asked, *, params: Mapping[str, str | int], headers: Mapping[str, str], timeout: float
    ) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """A GET whose answer is read in parts: the answer, with a body only if it is an error, and the parts.

        Raises Failed, also while the parts are read.
        """
        plain = {**headers, "Accept-Encoding": "identity"}  # a part can be read without the parts before it
        with (
            self._failures(asked, timeout, LARGEST),
            self._wire.open("GET", url, headers=plain, params=params, timeout=timeout) as response,
        ):
            told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            parts = response.iter_stream()
            body = b"" if 200 <= response.status < 300 else _beginning(parts)
            yield Answer(response.status, told, body, self.redactor.anywhere), parts

    @contextmanager
    def _failures(self, asked: Asked, timeout: float, largest: int) -> Iterator[None]:
        """Raises Failed, with an error in words, for what the wire raises."""
        try:
            yield
        except NotSent as error:
            why = "its certificate cannot be trusted" if error.untrusted else "there is no connection to it"
            todo = "Check its certificate." if error.untrusted else "Check that it runs and that its address is right."
            raise Failed(Unreachable(f"{asked}, but {why}. {todo}"), again=not error.untrusted) from None
        except Closed:
            raise Failed(answers.closed(str(asked)), again=False) from None
        except NotHttp:
            raise Failed(Unexpected(f"{asked}, but the request cannot be put into HTTP."), again=False) from None
        except wire.TooLarge:
            size = f"{largest // 2**20} MB" if largest >= 2**20 else f"{largest // 2**10} kB"
            raise Failed(TooLarge(f"{asked} and answered with more than {size}."), again=False) from None
        except Lost as error:
            came = f"gave no answer within {timeout:.0f} s" if error.silent else "broke off its answer"
            todo = answers.UNKNOWN if asked.writes else "Try again later."
            again = asked.again is Again.ANY and not (asked.writes and error.silent)
            raise Failed(TimedOut(f"{asked} and {came}. {todo}"), again=again) from None


def _beginning(parts: Iterator[bytes]) -> bytes:
    """As much of an error as its words need."""
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > LONGEST_ERROR:
            break
    return bytes(body)
