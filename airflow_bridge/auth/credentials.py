"""The interface of every way to sign in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_bridge.answers import Answer

FOREVER = float("inf")


@dataclass(frozen=True)
class Signed:
    """The headers that authenticate a request. life: seconds for which they are valid."""

    headers: Mapping[str, str] = field(repr=False)
    life: float = FOREVER


class Ask(Protocol):
    """Sends the requests of a class that signs in. Raises Unreachable where there is no answer."""

    deadline: float
    """The moment (time.monotonic) by which signing in must be done."""

    def send(
        self, method: str, url: str, *, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """url: a path of the deployment, or an address elsewhere, which must be https or this machine's own."""

    def read(self, answer: Answer, *names: str) -> Any:
        """The JSON of an answer, which must have `names`.

        Raises Unauthorised where it says that the credentials are wrong, else what belongs to it.
        """


class Credentials(Protocol):
    """One account. A frozen value: comparing two tells whether anything changed."""

    @property
    def account(self) -> str:
        """How errors call it: "the account alice"."""

    def sign_in(self, ask: Ask) -> Signed:
        """Raises Unauthorised, or Unreachable and its like where the place to sign in cannot be asked."""
