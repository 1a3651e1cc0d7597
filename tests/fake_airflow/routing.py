"""Which function of the fake answers which request.

A Router is a group of endpoints behind one Door, which knows who may come in and what it says to the others. A function
gets the Call and the parts of the path, and gives the body of a 200, or a Reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote

from tests.fake_airflow.replies import Refusal, Reply, of_release
from tests.fake_airflow.rows import AND, FakeUser, Request
from tests.fake_airflow.state import State

Handler = Callable[..., Any]


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    """"*" stands for one part, and "/" in it is never found, encoded or not; "**" for all the rest."""
    handler: Handler
    public: bool = False
    query: Mapping[str, type] = field(default_factory=dict)
    """The parameters it knows, where the door cares."""
    body: Mapping[str, Any] | None = None
    """A JSON schema, where the door cares."""


class Door(Protocol):
    def examine(self, route: Route, request: Request, state: State) -> None:
        """What is looked at before anybody asks who it is. Raises Refusal."""

    def enter(self, state: State, request: Request) -> FakeUser:
        """Who it is. Raises Refusal."""

    def forbid(self, state: State) -> Refusal:
        """What somebody hears who may not."""


@dataclass(frozen=True)
class Call:
    """One request, with who asks."""

    state: State
    by: FakeUser
    request: Request
    door: Door

    @property
    def body(self) -> Any:
        return self.request.body

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    def values(self, name: str) -> list[str]:
        """Of a parameter that may be given several times."""
        given = self.query.get(name)
        return given.split(AND) if given else []

    def need(self, action: str, resource: str) -> None:
        if not self.state.may(self.by, action, resource):
            raise self.door.forbid(self.state)

    def need_dag(self, action: str, dag_id: str, *also: tuple[str, str]) -> None:
        """Right on this DAG ("~": any), and on what belongs to DAGs, e.g. ("can_edit", "DAG Runs")."""
        on_dag = self.state.reads_some_dag(self.by) if dag_id == "~" else self.state.may_on_dag(self.by, action, dag_id)
        if not on_dag or not all(self._may_too(dag_id, *pair) for pair in also):
            raise self.door.forbid(self.state)

    def _may_too(self, dag_id: str, action: str, resource: str) -> bool:
        if resource == "DAG Runs":
            return self.state.may_on_runs(self.by, action, dag_id)
        return self.state.may(self.by, action, resource)


class Router:
    def __init__(self, door: Door) -> None:
        self.door = door
        self.routes: list[Route] = []

    def __call__(self, method: str, path: str, **more: Any) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self.routes.append(Route(method, path, handler, **more))
            return handler

        return register


class App:
    """Routers, each under its prefix. What no route answers is left to `otherwise`, with the methods the path has."""

    def __init__(
        self, mounts: Sequence[tuple[str, Router]], otherwise: Callable[[State, Request, set[str]], Reply]
    ) -> None:
        self._routes = [
            (_pattern(f"{prefix}{route.path}"), route, router.door)
            for prefix, router in mounts
            for route in router.routes
        ]
        self._otherwise = otherwise

    def answer(self, state: State, request: Request) -> Reply:
        methods = set()
        for pattern, route, door in self._routes:
            # matched before decoding: a name with an encoded slash is one part here, but Airflow never finds it
            found = pattern.fullmatch(request.path)
            if not found:
                continue
            methods.add(route.method)
            if route.method != request.method:
                continue
            parts = [unquote(part) for part in found.groups()]
            if any("/" in part for part in parts) and not route.path.endswith("**"):
                return self._otherwise(state, request, set())
            try:
                door.examine(route, request, state)
                by = NOBODY if route.public else door.enter(state, request)
                body = route.handler(Call(state, by, request, door), *parts)
            except Refusal as refusal:
                return of_release(refusal.reply, state.release.version)
            return body if isinstance(body, Reply) else Reply(200, body)
        return self._otherwise(state, request, methods)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.escape(path).replace(r"\*\*", "(.+)").replace(r"\*", "([^/]+)"))


SECRET = ("password", "passwd", "secret", "token", "api_key", "apikey", "authorization", "passphrase", "private_key")
NOBODY = FakeUser("anonymous", "", "", [])


Orders = Mapping[str, Callable[[Any], Any] | None]
"""What rows can be sorted by, and how it is read off a row; None: by their place, as by their number in a database."""


def ordered(rows: Sequence[Any], order_by: str, orders: Orders) -> list[Any]:
    """Sorted by what order_by names, nulls first; "-" turns it round. KeyError where it names nothing known."""
    key = orders[order_by.lstrip("-")]
    if key is None:
        return list(reversed(rows) if order_by.startswith("-") else rows)

    def nulls_first(row: Any) -> tuple[bool, Any]:
        value = key(row)
        return value is not None, value

    return sorted(rows, key=nulls_first, reverse=order_by.startswith("-"))
