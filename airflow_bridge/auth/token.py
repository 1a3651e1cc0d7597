"""A token made elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from airflow_bridge.auth.credentials import Ask, Signed
from airflow_bridge.errors import Rejected


@dataclass(frozen=True)
class TokenAuth:
    """A bearer token: Astronomer's API tokens, a gateway's, or a JWT of Airflow itself. It cannot be renewed.

    Raises Rejected for what cannot be a token.
    """

    token: str = field(repr=False)
    account = "the token"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[!-~]+", self.token):
            raise Rejected("The token is empty or has characters that no token has.", field="token")

    def sign_in(self, ask: Ask) -> Signed:
        return Signed({"Authorization": f"Bearer {self.token}"})
