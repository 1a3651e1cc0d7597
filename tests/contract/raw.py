"""What a client without the bridge sends, and what it gets: to show that an oddity is Airflow's own."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from tests.contract.servers import Server

PASSWORD_FOR_PEOPLE = {"3.0.6": ("users", "roles", "permissions"), "3.1.6": ("users", "permissions")}


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Raw:
    """As one account of a server. Paths beginning with /users, /roles and /permissions are those of FAB's API."""

    def __init__(self, server: Server, username: str, password: str) -> None:
        self._url = server.url
        self._release = server.target.release
        self._old = server.target.api == "v1"
        self._basic = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        self.token = ""
        if not self._old:
            signed_in = self.send("POST", "/auth/token", {"username": username, "password": password}, {})
            self.token = signed_in.json["access_token"]

    def get(self, path: str, *, accept: str = "application/json") -> Answer:
        return self.ask("GET", path, accept=accept)

    def post(self, path: str, body: Any) -> Answer:
        return self.ask("POST", path, body)

    def patch(self, path: str, body: Any) -> Answer:
        return self.ask("PATCH", path, body)

    def ask(self, method: str, path: str, body: Any = None, *, accept: str = "application/json") -> Answer:
        group = path.split("/")[1].partition("?")[0]
        people = group in ("users", "roles", "permissions")
        base = "/api/v1" if self._old else "/auth/fab/v1" if people else "/api/v2"
        with_password = self._old or group in PASSWORD_FOR_PEOPLE.get(self._release, ())
        credentials = self._basic if with_password else f"Bearer {self.token}"
        return self.send(method, f"{base}{path}", body, {"Authorization": credentials, "Accept": accept})

    def anonymous(self, path: str) -> Answer:
        return self.send("GET", path, None, {})

    def send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        told = {**headers, "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}{path}", data=data, headers=told, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return Answer(answer.status, answer.headers.get("Content-Type", ""), answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers.get("Content-Type", ""), error.read().decode())
