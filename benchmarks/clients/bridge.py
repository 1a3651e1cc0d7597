"""The bridge, as the portal uses it."""

from __future__ import annotations

from typing import Literal

from airflow_bridge import Airflow, PasswordAuth, connect
from benchmarks.clients.timed import ACCOUNT, main


class Bridge:
    def __init__(self, url: str) -> None:
        self._url = url
        self._airflow = self._connect("v2")

    def users_2(self) -> int:
        return sum(1 for _ in self._connect("v1").users())

    def users_3(self) -> int:
        return sum(1 for _ in self._airflow.users())

    def dags(self) -> int:
        return sum(1 for _ in self._airflow.dags())

    def dag(self, dag_id: str) -> str:
        found = self._airflow.dag(dag_id)
        return found.dag_id if found else ""

    def _connect(self, api: Literal["v1", "v2"]) -> Airflow:
        return connect(name="bench", url=self._url, api=api, auth=PasswordAuth(*ACCOUNT), timeout=30)


if __name__ == "__main__":
    main(Bridge)
