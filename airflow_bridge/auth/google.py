"""Google Cloud Composer, and what else takes Google's tokens. Needs the package google-auth."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_bridge.auth.credentials import Ask, Signed
from airflow_bridge.auth.session import UNKNOWN_LIFE, lifetime
from airflow_bridge.errors import BridgeError, Unauthorised, Unreachable, Unsupported

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True)
class GoogleAuth:
    """The account that google-auth finds (Application Default Credentials: a key file, or the machine's own account).

    audience: whom an identity token is for, which is what Airflow's google_openid backend and an Identity-Aware Proxy
    take. Without one an access token is sent, which is what Cloud Composer 2 and 3 take.
    """

    audience: str = ""
    account = "the Google account of this machine"

    def sign_in(self, ask: Ask) -> Signed:
        try:
            google = importlib.import_module("google.auth")
            id_token = importlib.import_module("google.oauth2.id_token")
            errors = importlib.import_module("google.auth.exceptions")
        except ImportError:
            raise Unsupported("Signing in with Google needs the package google-auth. Install it.") from None
        request = _Request(ask)
        try:
            if self.audience:
                token = str(id_token.fetch_id_token(request, self.audience))
                return Signed({"Authorization": f"Bearer {token}"}, lifetime(token))
            credentials, _ = google.default(scopes=[SCOPE], request=request)
            credentials.refresh(request)
            return Signed({"Authorization": f"Bearer {credentials.token}"}, UNKNOWN_LIFE)
        except BridgeError:
            raise
        except errors.TransportError as error:
            raise Unreachable(f"Google could not be asked for a token ({type(error).__name__}).") from None
        except errors.GoogleAuthError as error:
            raise Unauthorised(f"Google gives no token to {self.account}: {type(error).__name__}.") from None


@dataclass(frozen=True)
class _Response:
    status: int
    headers: Mapping[str, str]
    data: bytes


class _Request:
    """What google-auth calls a transport (google.auth.transport.Request), within our budget."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: object = None,
        **_: Any,
    ) -> _Response:
        content = body.encode() if isinstance(body, str) else body
        answer = self._ask.send(method, url, content=content, headers=headers)
        return _Response(answer.status, answer.headers, answer.body)
