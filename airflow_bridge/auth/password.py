"""Airflow 3: a password, exchanged for tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from airflow_bridge.auth.basic import BasicAuth
from airflow_bridge.auth.credentials import Ask, Signed
from airflow_bridge.auth.session import lifetime
from airflow_bridge.errors import BridgeError, Conflict, NotFound, Rejected, Unauthorised, Unsupported


@dataclass(frozen=True)
class PasswordAuth:
    """A local Airflow account. Airflow 3 gives tokens for its password; Airflow 2 gets it as `BasicAuth` does."""

    username: str
    password: str = field(repr=False)

    @property
    def account(self) -> str:
        return f"the account {self.username}"

    @property
    def basic(self) -> BasicAuth:
        """The same for an Airflow, or a part of one, that takes no tokens."""
        return BasicAuth(self.username, self.password)

    def sign_in(self, ask: Ask) -> Signed:
        content = json.dumps({"username": self.username, "password": self.password}).encode()
        answer = ask.send("POST", "/auth/token", content=content, headers={"Content-Type": "application/json"})
        try:
            token = str(ask.read(answer, "access_token")["access_token"])
        except Rejected as error:  # an empty name or password
            raise Unauthorised(str(error)) from None
        except (NotFound, Conflict) as error:  # must not pass for "there is no such user"
            raise _not_airflow(error) from None
        return Signed({"Authorization": f"Bearer {token}"}, lifetime(token))


def _not_airflow(error: BridgeError) -> Unsupported:
    return Unsupported(f"{error} It does not look like Airflow 3.")
