"""The Airflow itself: its version, its health, what it can do, what happened, and whether we are let in."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from airflow_bridge import probes
from airflow_bridge.calls.part import Place, unsupported, whole
from airflow_bridge.calls.people import People
from airflow_bridge.calls.roles import Roles
from airflow_bridge.capabilities import WHAT
from airflow_bridge.errors import BridgeError, Forbidden, NotFound, Unauthorised, Unexpected, Unsupported
from airflow_bridge.http import Http, Shape
from airflow_bridge.shapes import Shapes
from airflow_bridge.types import Capabilities, Component, Event, Permission, RateLimit

KNOWN_FOR = 600.0  # seconds after which it is asked again what this Airflow can do: it may have been upgraded


class About(People, Roles):
    """The part of `airflow_bridge.client.Airflow` about Airflow itself."""

    health_path: str
    event_order: str
    _sees_dags = False  # what the last check found: asking for the other first would be refused every time

    def __init__(self, http: Http, shapes: Shapes) -> None:
        super().__init__(http, shapes)
        self._finding_out = threading.Lock()
        self._found: tuple[float, Capabilities] | None = None

    @property
    def name(self) -> str:
        return self._http.name

    @property
    def rate_limit(self) -> RateLimit | None:
        return self._http.rate_limit

    @property
    def clock_ahead(self) -> float | None:
        return self._http.clock_ahead

    def close(self) -> None:
        self._http.close()

    def within(self, seconds: float) -> AbstractContextManager[None]:
        return self._http.within(seconds)

    def version(self) -> str:
        return self._public(f"{self.core}/version", what="for its version", shape=lambda body: str(body["version"]))

    def capabilities(self, *, fresh: bool = False) -> Capabilities:
        with self._finding_out:
            if self._found is None or fresh or time.monotonic() > self._found[0]:
                found = self._find_out()
                self._found = time.monotonic() + KNOWN_FOR, found
            return self._found[1]

    @abstractmethod
    def _find_out(self) -> Capabilities: ...

    def health(self) -> Mapping[str, Component]:
        return self._public(self.health_path, what="for its health", shape=self._shapes.health)

    def _public(self, path: str, *, what: str, shape: Callable[[Any], Shape], accept: str = "") -> Shape:
        """What Airflow itself tells anybody. What stands before it may want to know who asks: then we say so."""

        def ask(signed_in: bool) -> Shape:
            return self._http.call(
                "GET", path, what=what, shape=shape, accept=accept, signed_in=signed_in, suspicious=False
            )

        try:
            return ask(signed_in=False)
        except (Unauthorised, Forbidden, Unexpected):
            return ask(signed_in=True)

    def events(
        self, *, after: datetime | None = None, dag_id: str = "", dag_run_id: str = "", by: str = ""
    ) -> Iterator[Event]:
        """Newest first."""
        filters = {"after": after.isoformat() if after else "", "dag_id": dag_id, "run_id": dag_run_id, "owner": by}
        return self._pages(
            f"{self.core}/eventLogs",
            "event_logs",
            shape=self._shapes.event,
            tell=lambda event: event.id,
            order=self.event_order,
            what="for its event log",
            needs="can_read on Audit Logs and on DAGs",
            params={name: value for name, value in filters.items() if value},
        )

    @whole
    def check(self) -> None:
        try:
            self._look_at_something()
        except Unauthorised:
            before = self.capabilities()
            if self.capabilities(fresh=True) == before:
                raise
            self._look_at_something()  # it was upgraded: another part of its API takes another kind of credentials

    def _look_at_something(self) -> None:
        """Version and health are public and prove nothing; an account may well be let in to one of these two alone."""
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
        self._look(f"{self.core}/dags", "dags")

    def _look(self, path: str, key: str) -> None:
        self._http.call(
            "GET",
            path,
            what=f"for a look at its {key}",
            needs="can_read on Users or on DAGs",
            params={"limit": 1},
            shape=lambda body: body[key] and None,
            auth=self._place(key).auth if key == "users" else None,
        )

    def lacking(self, permissions: Iterable[Permission], *, username: str = "") -> frozenset[Permission]:
        wanted = frozenset(permissions)
        own = username or getattr(self._http.auth, "username", "")
        try:
            if own and (user := self.user(own)) is not None:
                held = [role for name in user.roles if (role := self.role(name)) is not None]
                return wanted - frozenset().union(*(role.permissions for role in held))
        except (Forbidden, Unsupported):
            if username:
                raise
        if username:  # asking would be answered for our own account
            raise NotFound(
                f"{self._http.name} has no user “{username}”, so nothing can be said of what it lacks. Check the name."
            )
        return frozenset(pair for pair in wanted if not self._may(pair))

    def _may(self, permission: Permission) -> bool:
        """Whether the account has it; one that no call of ours needs, or can use here, is taken to be there."""
        probe = probes.OF.get(permission)
        if probe is None or not self.capabilities().can_use(permission):
            return True
        try:
            place = self._place(probe.group) if probe.group else Place(self.core)
            self._http.call(
                probe.method,
                f"{place.base}{probe.path}",
                what=f"whether {self._http.auth.account} has {permission[0]} on {permission[1]}",
                body=probe.body,
                params=probe.params,
                shape=lambda body: None,
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
