"""Credentials, and the token Airflow gives for them: kept, renewed in time, fetched by one thread for all."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_bridge.errors import Unauthorised, Unreachable

UNKNOWN_LIFE = 600.0  # seconds a token is kept that does not say how long it lives
AHEAD = 60.0  # seconds before its end in which a token is renewed (a tenth of its life where that is less)


@dataclass(frozen=True)
class PasswordAuth:
    """A local Airflow account; its password is exchanged for short-lived tokens."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class TokenAuth:
    """A token made elsewhere (a managed Airflow's API token, for example). It cannot be renewed."""

    token: str = field(repr=False)


Credentials = PasswordAuth | TokenAuth


class Tokens:
    """The current token of one account. Thread-safe: however many threads need one, one of them signs in."""

    def __init__(self, sign_in: Callable[[float], str]) -> None:
        """sign_in: takes the moment (time.monotonic) by which it must be done, gives a token or raises."""
        self._sign_in = sign_in
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0
        self._refusal: tuple[float, Unauthorised] | None = None

    def get(self, deadline: float) -> str:
        """A token good for a while. Raises what `sign_in` raises, Unreachable when another thread's takes too long."""
        asked_at = time.monotonic()
        if not self._lock.acquire(timeout=max(0.0, deadline - asked_at)):
            raise Unreachable("Airflow took too long to sign us in; nothing was asked of it yet. Try again later.")
        try:
            if self._token and time.monotonic() < self._renew_at:
                return self._token
            if self._refusal and self._refusal[0] >= asked_at:
                # refused while we waited: the same password once more would only count as one more failed log-in
                raise self._refusal[1]
            try:
                token = self._sign_in(deadline)
            except Unauthorised as refusal:
                self._refusal = (time.monotonic(), refusal)
                raise
            life = lifetime(token)
            self._token, self._renew_at = token, time.monotonic() + life - min(AHEAD, life / 10)
            return token
        finally:
            self._lock.release()

    def refused(self, token: str) -> None:
        """Airflow did not accept `token`: forget it, unless another thread has renewed it already."""
        with self._lock:
            if self._token == token:
                self._token = ""


def lifetime(token: str) -> float:
    """Seconds a JWT lives from its making, by the server's clock alone: ours may be wrong."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return max(0.0, float(claims["exp"]) - float(claims["iat"]))
    except (IndexError, KeyError, TypeError, ValueError):
        return UNKNOWN_LIFE
