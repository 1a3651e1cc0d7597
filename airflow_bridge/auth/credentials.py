"""What every way to sign in has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_bridge.answers import Answer

FOREVER = float("inf")


@dataclass(frozen=True)
class Signed:
    """What makes a request ours. life: seconds it is good for."""

    headers: Mapping[str, str] = field(repr=False)
    life: float = FOREVER


class Ask(Protocol):
    """Speaks HTTP for a class that signs in; what goes wrong on the way is raised as Unreachable, and is no answer."""

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
    """One account. A frozen value: it is compared to find out whether anything of it changed."""

    @property
    def account(self) -> str:
        """How errors call it: "the account alice"."""

    def sign_in(self, ask: Ask) -> Signed:
        """Raises Unauthorised, or Unreachable and its like where the place to sign in cannot be asked."""
