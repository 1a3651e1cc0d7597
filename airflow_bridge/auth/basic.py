"""Airflow 2: user name and password with every request."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from airflow_bridge.auth.credentials import Ask, Signed
from airflow_bridge.errors import Rejected


@dataclass(frozen=True)
class BasicAuth:
    """A local (or LDAP) account of Airflow 2, whose `[api] auth_backends` must have a basic_auth (RFC 7617).

    Raises Rejected for a user name with a colon, at which Airflow would end it, and for half characters (surrogates).
    """

    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if ":" in self.username:
            raise Rejected("A user name with a colon cannot be sent with each call.", field="username")
        for name in ("username", "password"):
            try:
                getattr(self, name).encode()
            except UnicodeEncodeError:
                raise Rejected(f"The {name} has characters that cannot be sent.", field=name) from None

    @property
    def account(self) -> str:
        return f"the account {self.username}"

    def sign_in(self, ask: Ask) -> Signed:
        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return Signed({"Authorization": f"Basic {pair}"})
