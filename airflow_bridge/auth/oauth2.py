"""OAuth 2 client credentials, for a gateway or a Keycloak before Airflow."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlencode

from airflow_bridge.auth.credentials import Ask, Signed
from airflow_bridge.auth.session import UNKNOWN_LIFE
from airflow_bridge.errors import Conflict, Forbidden, NotFound, Rejected, Unauthorised


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
        try:
            body = ask.read(ask.send("POST", self.token_url, content=content, headers=headers), "access_token")
        except (Rejected, Forbidden, NotFound, Conflict) as error:  # section 5.2: invalid_client, invalid_scope, ...
            raise Unauthorised(str(error)) from None
        lasts = body.get("expires_in")
        life = float(lasts) if isinstance(lasts, int | float) and lasts > 0 else UNKNOWN_LIFE
        return Signed({"Authorization": f"Bearer {body['access_token']}"}, life)
