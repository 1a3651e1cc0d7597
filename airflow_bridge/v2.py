"""Airflow 3: one client out of its parts."""

from __future__ import annotations

from typing import Any

from airflow_bridge.auth import Credentials
from airflow_bridge.errors import Forbidden, Unsupported
from airflow_bridge.http import Http
from airflow_bridge.v2_dags import CORE, Dags
from airflow_bridge.v2_people import FAB, People


class AirflowV2(People, Dags):
    """See `airflow_bridge.client.Airflow` for what each call promises."""

    def __init__(self, *, name: str, url: str, auth: Credentials, budget: float, allow_plain_http: bool) -> None:
        self._http = Http(
            name=name, url=url, auth=auth, budget=budget, sign_in="/auth/token", allow_plain_http=allow_plain_http
        )

    def close(self) -> None:
        self._http.close()

    def version(self) -> str:
        return self._http.call(
            "GET", f"{CORE}/version", what="for its version", shape=lambda body: str(body["version"]), signed_in=False
        )

    def check(self) -> None:
        # version and health are public and prove nothing; an account may well be let in to only one of these two
        try:
            self._look(f"{FAB}/users", "users")
        except (Forbidden, Unsupported):
            self._look(f"{CORE}/dags", "dags")

    def _look(self, path: str, key: str) -> None:
        def shape(body: Any) -> None:
            body[key]

        needs = "can_read on Users or on DAGs"
        self._http.call("GET", path, what=f"for a look at its {key}", needs=needs, params={"limit": 1}, shape=shape)
