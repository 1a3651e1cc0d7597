"""httpx in a loop, and nothing else: no types, no second attempt, no words for what went wrong. The reference."""

from __future__ import annotations

from typing import Any

import httpx

from benchmarks.clients.timed import ACCOUNT, main


class Bare:
    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=30)

    def users_2(self) -> int:
        self._client.auth = httpx.BasicAuth(*ACCOUNT)
        return self._list("/api/v1/users", "users", "id")

    def users_3(self) -> int:
        self._sign_in()
        return self._list("/auth/fab/v1/users", "users", "id")

    def dags(self) -> int:
        self._sign_in()
        return self._list("/api/v2/dags", "dags", "dag_id")

    def dag(self, dag_id: str) -> str:
        if "Authorization" not in self._client.headers:
            self._sign_in()
        return str(self._get(f"/api/v2/dags/{dag_id}/details")["dag_id"])

    def _sign_in(self) -> None:
        answer = self._client.post("/auth/token", json=dict(zip(("username", "password"), ACCOUNT, strict=True)))
        self._client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"

    def _list(self, path: str, key: str, order: str) -> int:
        seen, total = 0, 1
        while seen < total:
            page = self._get(path, limit=100, offset=seen, order_by=order)
            total = page["total_entries"]
            seen += len(page[key])
        return seen

    def _get(self, path: str, **params: Any) -> Any:
        return self._client.get(path, params=params).raise_for_status().json()


if __name__ == "__main__":
    main(Bare)
