"""Keeps a client signed in: one thread renews the token before it ends, for all threads."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable

from airflow_bridge.auth.credentials import Signed
from airflow_bridge.errors import BridgeError, Unauthorised, Unreachable

UNKNOWN_LIFE = 600.0  # seconds to keep a token that does not tell its lifetime
AHEAD = (60.0, 180.0)  # seconds before its end, at random: many processes must not renew at the same moment
LATER = 10.0  # seconds to the next try where renewing ahead failed
_random = secrets.SystemRandom()


class Session:
    """Thread-safe. One thread signs in, the others wait for it."""

    def __init__(self, sign_in: Callable[[float], Signed]) -> None:
        """sign_in: takes the moment (time.monotonic) by which it must be done; gives headers or raises."""
        self._sign_in = sign_in
        self._lock = threading.Lock()
        self._signed: Signed | None = None
        self._refused: Signed | None = None
        self._renew_at = 0.0
        self._expires_at = 0.0
        self._refusal: tuple[float, Unauthorised] | None = None

    def get(self, deadline: float) -> Signed:
        """The current sign-in, renewed if it ends soon. The old one is used while that goes on, or if it fails.

        Raises what `sign_in` raises, and Unreachable if another thread takes too long to sign in.
        """
        asked_at = time.monotonic()
        good = self._good()
        if not self._lock.acquire(timeout=0.0 if good else max(0.0, deadline - asked_at)):
            if good:
                return good
            raise Unreachable("Airflow took too long to sign us in; nothing was asked of it yet. Try again later.")
        try:
            good = self._good()
            if good and time.monotonic() < self._renew_at:
                return good
            if self._refusal and self._refusal[0] >= asked_at:
                # refused while we waited: the same password again would be another failed log-in
                raise self._refusal[1]
            try:
                signed = self._sign_in(deadline)
            except Unauthorised as refusal:
                self._refusal = (time.monotonic(), refusal)
                raise
            except BridgeError:
                if not (good := self._good()):
                    raise
                self._renew_at = time.monotonic() + LATER
                return good
            self._signed, self._expires_at = signed, time.monotonic() + signed.life
            self._renew_at = self._expires_at - ahead(signed.life)
            return signed
        finally:
            self._lock.release()

    def refused(self, signed: Signed) -> None:
        """Airflow did not accept `signed`: use it no more. Without the lock, which another's signing in may hold."""
        if self._signed is signed:
            self._refused = signed

    def _good(self) -> Signed | None:
        """What Airflow still accepts, as far as we know."""
        signed = self._signed
        return signed if signed is not self._refused and time.monotonic() < self._expires_at else None


def ahead(life: float) -> float:
    """Seconds before its end in which to renew what lives that long: AHEAD, but at most a fifth of a short life."""
    return min(_random.uniform(*AHEAD), life / 5)


def lifetime(token: str) -> float:
    """Seconds a JWT lives from its making, by the server's clock alone: ours may be wrong."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return max(0.0, float(claims["exp"]) - float(claims["iat"]))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return UNKNOWN_LIFE
