"""Apache's client for Airflow 2 (apache-airflow-client 2.10), which knows users."""

from __future__ import annotations

import airflow_client.client as official
from airflow_client.client.api.user_api import UserApi

from benchmarks.clients.timed import ACCOUNT, main


class Official:
    def __init__(self, url: str) -> None:
        username, password = ACCOUNT
        self._configuration = official.Configuration(host=f"{url}/api/v1", username=username, password=password)

    def users_2(self) -> int:
        api = UserApi(official.ApiClient(self._configuration))
        seen, total = 0, 1
        while seen < total:
            page = api.get_users(limit=100, offset=seen, order_by="id")
            total = page.total_entries
            seen += len(page.users)
        return seen


if __name__ == "__main__":
    main(Official)
