"""OAuth 2 client credentials, for a gateway or a Keycloak before Airflow."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlencode

from airflow_bridge.answers import Answer
from airflow_bridge.auth.credentials import Ask, Signed
from airflow_bridge.auth.session import UNKNOWN_LIFE
from airflow_bridge.errors import Unauthorised

LONGEST = 200  # characters of the server's own words that are passed on


@dataclass(frozen=True)
class OAuth2Auth:
    """A client of an authorization server (RFC 6749, section 4.4).

    token_url: where tokens are given out. scope, audience: asked for where they are given.
    """

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""
    audience: str = ""

    @property
    def account(self) -> str:
        return f"the OAuth client {self.client_id}"

    def sign_in(self, ask: Ask) -> Signed:
        form = {"grant_type": "client_credentials", "scope": self.scope, "audience": self.audience}
        # section 2.3.1: both are form-encoded before they go into Basic
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
        headers = {
            "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        content = urlencode({name: value for name, value in form.items() if value}).encode()
        answer = ask.send("POST", self.token_url, content=content, headers=headers)
        if 400 <= answer.status < 500 and answer.status != 429:
            raise Unauthorised(
                f"The place that gives out tokens gave none to {self.account}: {self._refusal(answer)}. Check its "
                "address, and the id, the secret, the scope and the audience."
            )
        body = ask.read(answer, "access_token")
        return Signed({"Authorization": f"Bearer {body['access_token']}"}, _life(body.get("expires_in")))

    def _refusal(self, answer: Answer) -> str:
        """Section 5.2: "invalid_client (no such client)"."""
        try:
            told = answer.json
            words = str(told["error"]) + (f" ({told['error_description']})" if told.get("error_description") else "")
        except (AttributeError, KeyError, TypeError, ValueError):
            return f"it answered {answer.status}"
        words = " ".join(str(answer.hide(words)).split())
        return words if len(words) <= LONGEST else f"{words[:LONGEST]}…"


def _life(lasts: object) -> float:
    """Some servers write the number as text."""
    try:
        life = float(str(lasts))
    except ValueError:
        return UNKNOWN_LIFE
    return life if 0 < life < float("inf") else UNKNOWN_LIFE
