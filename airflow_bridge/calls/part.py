"""What every part of a client has: HTTP, the parser for its Airflow's answers, and where its calls go."""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from airflow_bridge import answers
from airflow_bridge.auth import Credentials
from airflow_bridge.errors import BridgeError, NotApplied, NotFound, Rejected, TimedOut, Unsupported
from airflow_bridge.http import Http
from airflow_bridge.paging import SIZE, pages
from airflow_bridge.parser import Parser

Value = TypeVar("Value")
Client = TypeVar("Client", bound="Part")
Words = ParamSpec("Words")

RUN_ID = re.compile(r"[A-Za-z0-9_.~:+-]{1,250}")


@dataclass(frozen=True)
class Place:
    """Where a group of calls lives, and what it takes. auth: None for the client's own credentials."""

    base: str
    auth: Credentials | None = None
    connexion: bool = False
    """Whether it is the API of Airflow 2, which FAB providers before 3.2 have in Airflow 3: PATCH needs the complete
    user, permissions can only be added to a role, and the list of permissions has no pairs."""


def one_budget(method: Callable[Concatenate[Client, Words], Value]) -> Callable[Concatenate[Client, Words], Value]:
    """A call of several requests, which share one budget."""

    @functools.wraps(method)
    def within(self: Client, /, *args: Words.args, **kwargs: Words.kwargs) -> Value:
        with self._http.budget.one():
            return method(self, *args, **kwargs)

    return within


class Part(ABC):
    _core: str
    """"/api/v2" or "/api/v1"."""

    def __init__(self, http: Http, parser: Parser) -> None:
        self._http = http
        self._parser = parser

    @abstractmethod
    def _place(self, group: str) -> Place:
        """Where "users", "roles" or "permissions" live. Raises Unsupported where this Airflow has no such calls."""

    @abstractmethod
    def _require(self, what: str) -> None:
        """Raises Unsupported, with the reason, where this Airflow cannot do it (see `airflow_bridge.capabilities`)."""

    def _pages(
        self,
        path: str,
        key: str,
        *,
        parse: Callable[[Any], Value],
        tell: Callable[[Value], Hashable],
        order: str | None,
        what: str,
        needs: str,
        params: Mapping[str, str | int] | None = None,
        auth: Credentials | None = None,
    ) -> Iterator[Value]:
        """All rows of a list; see `airflow_bridge.paging`. order: must be stable, or rows are missed between pages;
        None where this list cannot be ordered."""

        def ask(offset: int) -> tuple[list[Value], int]:
            return self._http.call(
                "GET",
                path,
                what=what,
                needs=needs,
                params={"limit": SIZE, "offset": offset} | ({"order_by": order} if order else {}) | dict(params or {}),
                parse=lambda body: ([parse(row) for row in body[key]], int(body["total_entries"])),
                auth=auth,
            )

        asked = f"{self._http.name} was asked {what}"
        try:
            yield from pages(ask, key=tell, ahead=self._http.ahead, asked=asked)
        except (CancelledError, RuntimeError):  # of the executor, which takes nothing more
            if not self._http.is_closed:
                raise
            raise answers.closed(asked) from None

    @contextmanager
    def _reading_back(self, what: str) -> Iterator[None]:
        """Raises TimedOut if the read-back fails: whether the accepted change was applied is then unknown."""
        try:
            yield
        except (NotFound, NotApplied):
            raise
        except BridgeError as error:
            raise TimedOut(
                f"{self._http.name} accepted {what}, but what came of it could not be read: {error} "
                "Look before trying again.",
                retry_after=error.retry_after,
            ) from None

    def _dag_path(self, dag_id: str) -> str:
        if not re.fullmatch(r"[\w.-]+", dag_id) or dag_id in (".", ".."):  # "~" would mean all of them
            raise NotFound(f"{self._http.name} cannot have a DAG called “{dag_id}”.")
        return f"{self._core}/dags/{quote(dag_id, safe='')}"

    def _run_path(self, dag_id: str, dag_run_id: str) -> str:
        self._check_run_id(dag_run_id)
        return f"{self._dag_path(dag_id)}/dagRuns/{quote(dag_run_id, safe='')}"

    def _check_run_id(self, dag_run_id: str) -> None:
        if not RUN_ID.fullmatch(dag_run_id) or dag_run_id in ("~", ".", ".."):
            raise Rejected(
                f"“{dag_run_id}” cannot be the id of a run in {self._http.name}: 1 to 250 letters, digits and _.~:+-",
                field="dag_run_id",
            )


def addressable(name: str) -> bool:
    """Whether Airflow can find `name` in a path. It finds no name with a slash, however encoded; a lone surrogate
    cannot be sent."""
    halves = any("\ud800" <= character <= "\udfff" for character in name)
    return bool(name) and "/" not in name and name not in (".", "..") and not halves


def readable(name: str) -> str:
    """The name without lone surrogates, which no log or message can hold."""
    return name.encode(errors="replace").decode()


def unsupported(name: str, why: str) -> Unsupported:
    return Unsupported(f"{name}: {why}")
