"""Airflow 2: user name and password with every request."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from airflow_bridge.auth.credentials import Ask, Signed


@dataclass(frozen=True)
class BasicAuth:
    """A local (or LDAP) account of Airflow 2, whose `[api] auth_backends` must have a basic_auth (RFC 7617)."""

    username: str
    password: str = field(repr=False)

    @property
    def account(self) -> str:
        return f"the account {self.username}"

    def sign_in(self, ask: Ask) -> Signed:
        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return Signed({"Authorization": f"Basic {pair}"})
