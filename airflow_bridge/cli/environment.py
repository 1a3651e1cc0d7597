"""Which Airflow, and who we are there: from environment variables, never from arguments, which everybody can see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from airflow_bridge import addresses
from airflow_bridge.airflow import Airflow
from airflow_bridge.auth import Credentials, OAuth2Auth, PasswordAuth, TokenAuth
from airflow_bridge.client import connect, find_api
from airflow_bridge.errors import Rejected

TIMEOUT = 30.0  # seconds for one call
SWITCH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}
OF_FIELD = {
    "url": "AIRFLOW_URL",
    "ca_bundle": "AIRFLOW_CA_BUNDLE",
    "token": "AIRFLOW_TOKEN",
    "token_url": "AIRFLOW_OAUTH_TOKEN_URL",
}
WAYS = ("AIRFLOW_USERNAME", "AIRFLOW_TOKEN", "AIRFLOW_OAUTH_TOKEN_URL")


class WrongEnvironment(Exception):
    """Which variable, and what is wrong with it; never its value."""


def connection(environ: Mapping[str, str]) -> tuple[Airflow, Credentials]:
    """A client, and who it is.

    Raises WrongEnvironment; Unreachable and its like where the API must be found out first.
    """
    url, api = _needed(environ, "AIRFLOW_URL"), environ.get("AIRFLOW_API", "")
    if api not in ("", "v1", "v2"):
        raise WrongEnvironment("AIRFLOW_API must be v1 (Airflow 2) or v2 (Airflow 3), or not be set.")
    plain = SWITCH.get(environ.get("AIRFLOW_ALLOW_PLAIN_HTTP", "").lower())
    if plain is None:
        raise WrongEnvironment("AIRFLOW_ALLOW_PLAIN_HTTP must be 1 or 0.")
    try:
        addresses.check("AIRFLOW_URL", url, allow_plain_http=plain)
        name = urlsplit(url).netloc
        auth = _credentials(environ)
        if isinstance(auth, OAuth2Auth):
            addresses.check("AIRFLOW_OAUTH_TOKEN_URL", auth.token_url, allow_plain_http=plain, field="token_url")
        ca = environ.get("AIRFLOW_CA_BUNDLE", "")
        api = api or find_api(name=name, url=url, auth=auth, timeout=TIMEOUT, allow_plain_http=plain, ca_bundle=ca)
        airflow = connect(name=name, url=url, api=api, auth=auth, timeout=TIMEOUT, allow_plain_http=plain, ca_bundle=ca)
        return airflow, auth
    except Rejected as error:
        variable = OF_FIELD.get(error.field or "")
        if variable is None:
            raise
        hint = " AIRFLOW_ALLOW_PLAIN_HTTP=1 accepts http." if "over http" in str(error) else ""
        raise WrongEnvironment(f"{variable} is not right. {error}{hint}") from None


def _credentials(environ: Mapping[str, str]) -> Credentials:
    given = [name for name in WAYS if environ.get(name) or environ.get(f"{name}_FILE")]
    if len(given) > 1:
        raise WrongEnvironment(f"{' and '.join(given)} are set; there must be one way to sign in.")
    if not given:
        raise WrongEnvironment(
            "There is nothing to sign in with: set AIRFLOW_USERNAME and AIRFLOW_PASSWORD, or AIRFLOW_TOKEN, or "
            "AIRFLOW_OAUTH_TOKEN_URL with AIRFLOW_OAUTH_CLIENT_ID and AIRFLOW_OAUTH_CLIENT_SECRET."
        )
    if given == ["AIRFLOW_USERNAME"]:
        return PasswordAuth(_needed(environ, "AIRFLOW_USERNAME"), _secret(environ, "AIRFLOW_PASSWORD"))
    if given == ["AIRFLOW_TOKEN"]:
        return TokenAuth(_secret(environ, "AIRFLOW_TOKEN"))
    return OAuth2Auth(
        token_url=_needed(environ, "AIRFLOW_OAUTH_TOKEN_URL"),
        client_id=_needed(environ, "AIRFLOW_OAUTH_CLIENT_ID"),
        client_secret=_secret(environ, "AIRFLOW_OAUTH_CLIENT_SECRET"),
        scope=environ.get("AIRFLOW_OAUTH_SCOPE", ""),
        audience=environ.get("AIRFLOW_OAUTH_AUDIENCE", ""),
    )


def _needed(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        raise WrongEnvironment(f"{name} is not set.")
    return environ[name]


def _secret(environ: Mapping[str, str], name: str) -> str:
    """From the variable itself, or from the file that the variable with _FILE names, without its last line end."""
    path = environ.get(f"{name}_FILE", "")
    if path and environ.get(name):
        raise WrongEnvironment(f"{name} and {name}_FILE are both set; keep one.")
    if not path:
        if not environ.get(name):
            raise WrongEnvironment(f"{name} is not set, nor is {name}_FILE.")
        return environ[name]
    try:
        secret = Path(path).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise WrongEnvironment(f"{name}_FILE cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise WrongEnvironment(f"{name}_FILE is no text.") from None
    if not secret:
        raise WrongEnvironment(f"{name}_FILE names an empty file.")
    return secret
