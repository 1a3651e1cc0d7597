"""The Airflow itself: its version, its health, what it can do, and whether we are let in."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from airflow_bridge import probes
from airflow_bridge.calls.part import Place, one_budget, unsupported
from airflow_bridge.calls.people import People
from airflow_bridge.calls.roles import Roles
from airflow_bridge.capabilities import WHAT
from airflow_bridge.errors import BridgeError, Forbidden, NotFound, Unauthorised, Unexpected, Unsupported
from airflow_bridge.http import Http, Value
from airflow_bridge.parser import Parser
from airflow_bridge.types import Capabilities, Component, Permission, RateLimit

KNOWN_FOR = 600.0  # seconds to keep the capabilities: Airflow may be upgraded


class About(People, Roles):
    _health_path: str
    _sees_dags = False  # what the last check found; it is asked first

    def __init__(self, http: Http, parser: Parser) -> None:
        super().__init__(http, parser)
        self._finding_out = threading.Lock()
        self._found: tuple[float, Capabilities] | None = None

    @property
    def name(self) -> str:
        return self._http.name

    @property
    def rate_limit(self) -> RateLimit | None:
        """The last RateLimit headers; None if there never were any."""
        return self._http.sender.rate_limit

    @property
    def clock_ahead(self) -> float | None:
        """Seconds by which Airflow's clock is ahead of ours (negative: behind), by the Date of the last answer."""
        return self._http.sender.clock_ahead

    def close(self) -> None:
        self._http.close()

    def hiding(self, secrets: Iterable[str]) -> AbstractContextManager[None]:
        """A block in which errors of this thread do not show these. The credentials are hidden in all errors."""
        return self._http.sender.redactor.hiding(secrets)

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """A block in which all calls of this thread together take at most `seconds`."""
        return self._http.budget.within(seconds)

    def version(self) -> str:
        return self._public(f"{self._core}/version", what="for its version", parse=lambda body: str(body["version"]))

    def capabilities(self, *, fresh: bool = False) -> Capabilities:
        """What this Airflow can do, found without credentials. fresh: do not use the answer of minutes ago."""
        with self._finding_out:
            if self._found is None or fresh or time.monotonic() > self._found[0]:
                found = self._find_out()
                self._found = time.monotonic() + KNOWN_FOR, found
            return self._found[1]

    @abstractmethod
    def _find_out(self) -> Capabilities: ...

    def health(self) -> Mapping[str, Component]:
        """Its parts ("metadatabase", "scheduler", ...), without credentials."""
        return self._public(self._health_path, what="for its health", parse=self._parser.health)

    def _public(self, path: str, *, what: str, parse: Callable[[Any], Value], accept: str = "") -> Value:
        """A public page of Airflow. If a gateway before it wants credentials, it gets them."""

        def ask(signed_in: bool) -> Value:
            return self._http.call(
                "GET", path, what=what, parse=parse, accept=accept, signed_in=signed_in, suspicious=False
            )

        try:
            return ask(signed_in=False)
        except (Unauthorised, Forbidden, Unexpected):
            return ask(signed_in=True)

    @one_budget
    def check(self) -> None:
        """Sign in and make one authenticated call; raises Unauthorised, Forbidden, Unreachable, TimedOut."""
        try:
            self._look_at_something()
        except Unauthorised:
            before = self.capabilities()
            if self.capabilities(fresh=True) == before:
                raise
            self._look_at_something()  # an upgrade has changed which credentials its API takes

    def _look_at_something(self) -> None:
        """Version and health are public and prove nothing. An account may have access to users or to DAGs alone."""
        refusals: list[BridgeError] = []
        looks = (
            (self._look_at_dags, self._look_at_users) if self._sees_dags else (self._look_at_users, self._look_at_dags)
        )
        for look in looks:
            try:
                look()
                self._sees_dags = look == self._look_at_dags
                return
            except (Forbidden, Unsupported) as error:
                refusals.append(error)
        raise next((error for error in refusals if isinstance(error, Forbidden)), refusals[0])

    def _look_at_users(self) -> None:
        self._look(f"{self._place('users').base}/users", "users")

    def _look_at_dags(self) -> None:
        self._look(f"{self._core}/dags", "dags")

    def _look(self, path: str, key: str) -> None:
        self._http.call(
            "GET",
            path,
            what=f"for a look at its {key}",
            needs="can_read on Users or on DAGs",
            params={"limit": 1},
            parse=lambda body: body[key] and None,
            auth=self._place(key).auth if key == "users" else None,
        )

    def lacking(self, permissions: Iterable[Permission], *, username: str = "") -> frozenset[Permission]:
        """Those of `permissions` that an account (by default our own) does not have.

        Read from its roles where we may read those; else, for our own account, found by asking for things that do not
        exist: what no call needs, or can use on this Airflow, is not among them then. Raises Forbidden or Unsupported
        for another account that we may not read, NotFound where there is none.
        """
        wanted = frozenset(permissions)
        own = username or getattr(self._http.auth, "username", "")
        try:
            if own and (user := self.user(own)) is not None:
                held = [role for name in user.roles if (role := self.role(name)) is not None]
                return wanted - frozenset().union(*(role.permissions for role in held))
        except (Forbidden, Unsupported):
            if username:
                raise
        if username:  # a probe would answer for our own account
            raise NotFound(
                f"{self._http.name} has no user “{username}”, so nothing can be said of what it lacks. Check the name."
            )
        return frozenset(pair for pair in wanted if not self._may(pair))

    def _may(self, permission: Permission) -> bool:
        """Whether the account has it. A permission without effect on our calls counts as held."""
        probe = probes.OF.get(permission)
        if probe is None or not self.capabilities().can_use(permission):
            return True
        try:
            place = self._place(probe.group) if probe.group else Place(self._core)
            self._http.call(
                probe.method,
                f"{place.base}{probe.path}",
                what=f"whether {self._http.auth.account} has {permission[0]} on {permission[1]}",
                body=probe.body,
                params=probe.params,
                parse=lambda body: None,
                auth=place.auth,
            )
        except probes.PERMITTED:
            return True
        except (Forbidden, Unsupported, Unexpected):  # Airflow 2 has a 500 for one of them
            return False
        return True

    def _require(self, what: str) -> None:
        found = self.capabilities()
        if why := found.missing.get(what):
            raise unsupported(self._http.name, f"{WHAT[what]} is not possible here: {why}.")
