"""Making the client for an Airflow, and finding out which one it takes."""

from __future__ import annotations

from typing import Literal

from airflow_bridge.airflow import Airflow
from airflow_bridge.auth import BasicAuth, Credentials, PasswordAuth
from airflow_bridge.errors import NotFound, Rejected, Unexpected, Unsupported
from airflow_bridge.http import Http
from airflow_bridge.v1 import AirflowV1
from airflow_bridge.v2 import AirflowV2

BUDGET = 10.0
AT_ONCE = 8


def connect(
    *,
    name: str,
    url: str,
    api: Literal["v1", "v2"] | str,
    auth: Credentials,
    timeout: float = BUDGET,
    allow_plain_http: bool = False,
    ca_bundle: str = "",
    max_concurrent: int = AT_ONCE,
) -> Airflow:
    """A client for one deployment and one account; asks nothing of it yet.

    name: how errors call the deployment. api: "v1" (Airflow 2) or "v2" (Airflow 3); `find_api` finds it.
    timeout: seconds that one call may take in all. allow_plain_http: accept http to another machine, where the network
    between is trusted. ca_bundle: path of the certificate authorities to trust instead of the system's; certificates
    are always checked. max_concurrent: calls at once to this address by all of this process.
    Raises Unsupported for an API that is none, Rejected for an address or credentials that cannot be used.
    """
    if api == "v1" and isinstance(auth, PasswordAuth):
        auth = auth.basic
    if api == "v2" and isinstance(auth, BasicAuth):
        raise Rejected(f"{name}: Airflow 3 takes no password with a call; use PasswordAuth.", field="auth")
    if api not in ("v1", "v2"):
        raise Unsupported(f"{name}: there is no api {api}; it is v1 for Airflow 2 or v2 for Airflow 3.")
    http = Http(
        name=name,
        url=url,
        auth=auth,
        budget=timeout,
        allow_plain_http=allow_plain_http,
        ca_bundle=ca_bundle,
        max_concurrent=max_concurrent,
    )
    return AirflowV1(http) if api == "v1" else AirflowV2(http)


def find_api(
    *,
    name: str,
    url: str,
    auth: Credentials | None = None,
    timeout: float = BUDGET,
    allow_plain_http: bool = False,
    ca_bundle: str = "",
) -> Literal["v1", "v2"]:
    """Which API an address speaks, found by asking for its version: without credentials, then with those given.

    Raises Unsupported where it speaks neither, Unreachable and its like.
    """
    refusals: list[str] = []
    for api in ("v1",) if isinstance(auth, BasicAuth) else ("v2", "v1"):  # Airflow 3 takes no password with a call
        airflow = connect(
            name=name,
            url=url,
            api=api,
            auth=auth or PasswordAuth("", ""),
            timeout=timeout,
            allow_plain_http=allow_plain_http,
            ca_bundle=ca_bundle,
        )
        try:
            airflow.version()
            return "v1" if api == "v1" else "v2"
        except (NotFound, Unsupported, Unexpected) as error:
            refusals.append(str(error))
        finally:
            airflow.close()
    raise Unsupported(f"{name} is no Airflow 2 or 3, or its API is elsewhere: {refusals[0]}")
