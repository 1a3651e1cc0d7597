"""Google Cloud Composer, and what else takes Google's tokens. Needs the package google-auth with its `requests`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_bridge.auth.credentials import Ask, Signed
from airflow_bridge.auth.google_transport import GoogleTransport
from airflow_bridge.auth.session import UNKNOWN_LIFE
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
            importlib.import_module("requests")  # without it google-auth does not look for the machine's own account
        except ImportError:
            raise Unsupported("Signing in with Google needs the package google-auth[requests]. Install it.") from None
        transport = GoogleTransport(ask, errors.TransportError)
        try:
            if self.audience:
                credentials = id_token.fetch_id_token_credentials(self.audience, request=transport)
            else:
                credentials, _ = google.default(scopes=[SCOPE], request=transport)
            credentials.refresh(transport)
        except BridgeError:
            raise
        except errors.TransportError as error:
            raise Unreachable(f"Google could not be asked for a token ({type(error).__name__}).") from None
        except (errors.GoogleAuthError, ValueError, OSError) as error:
            # google-auth's message may contain the answer
            raise Unauthorised(
                f"Google gives no token to {self.account} ({type(error).__name__}). Check "
                "GOOGLE_APPLICATION_CREDENTIALS or the machine's own service account."
            ) from None
        return Signed({"Authorization": f"Bearer {credentials.token}"}, _life(credentials.expiry))


def _life(expiry: Any) -> float:
    """Seconds until `expiry`, which google-auth gives by this machine's clock and without a time zone."""
    if not isinstance(expiry, datetime):
        return UNKNOWN_LIFE
    return max(0.0, (expiry.replace(tzinfo=expiry.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
