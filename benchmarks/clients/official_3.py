"""Apache's client for Airflow 3 (apache-airflow-client 3). Users are not in it: they are the auth manager's."""

from __future__ import annotations

import json
import urllib.request

import airflow_client.client as official
from airflow_client.client.api.dag_api import DAGApi

from benchmarks.clients.timed import ACCOUNT, THREADS, main


class Official:
    def __init__(self, url: str) -> None:
        self._url = url
        self._api: DAGApi | None = None

    def dags(self) -> int:
        seen, total = 0, 1
        while seen < total:
            page = self._signed_in().get_dags(limit=100, offset=seen, order_by=["dag_id"])
            total = page.total_entries
            seen += len(page.dags)
        return seen

    def dag(self, dag_id: str) -> str:
        return str(self._signed_in().get_dag_details(dag_id).dag_id)

    def _signed_in(self) -> DAGApi:
        if self._api is None:
            configuration = official.Configuration(host=self._url, access_token=self._token())
            configuration.connection_pool_maxsize = THREADS
            self._api = DAGApi(official.ApiClient(configuration))
        return self._api

    def _token(self) -> str:
        """It cannot sign in by itself."""
        content = json.dumps(dict(zip(("username", "password"), ACCOUNT, strict=True))).encode()
        request = urllib.request.Request(  # noqa: S310
            f"{self._url}/auth/token", content, {"Content-Type": "application/json"}
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return str(json.load(answer)["access_token"])


if __name__ == "__main__":
    main(Official)
