"""What the fake answers is what Airflow answers: status, kind of content, names, kinds of values, words of refusals."""

from __future__ import annotations

import base64
import json
import random
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.contract.shape_cases import Case, cases
from tests.fake_airflow import RELEASES, FakeAirflow, FakeRelease
from tests.real_airflow import RealAirflows, on, unique

pytestmark = [pytest.mark.contract]

JSON = "application/json"
# lists that have something in them or not, as the DAGs and people of either happen to be
BY_CHANCE = (".tags", ".import_errors", ".users[0].roles")


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str
    content: bytes

    def json(self) -> Any:
        """None where it is something else."""
        return json.loads(self.content) if self.content and self.kind.endswith("json") else None


class Asker:
    """Puts cases to one server, with the credentials that each group of its endpoints takes."""

    def __init__(self, url: str, admin: tuple[str, str], release: FakeRelease, names: dict[str, str]) -> None:
        self.url = url
        self.admin = admin
        self.release = release
        self.names = names
        self.token = "no.real.token"
        if release.api == "v2":
            username, password = admin
            signed_in = self._send("POST", "/auth/token", {"username": username, "password": password}, {})
            self.token = signed_in.json()["access_token"]

    def __call__(self, case: Case) -> Answer:
        method, path = self._filled(case.request).split(" ", 1)
        headers = {"Accept": case.accept, **self._credentials(case.by, path)}
        return self._send(method, path, self._filled(case.body), headers)

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        # Airflow 2 refuses a DELETE that announces JSON and brings none
        told = headers if data is None and method in ("GET", "DELETE") else {"Content-Type": JSON, **headers}
        request = urllib.request.Request(f"{self.url}{path}", data=data, headers=told, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=120) as answer:
                return Answer(answer.status, answer.headers.get_content_type(), answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, refusal.headers.get_content_type(), refusal.read())

    def _credentials(self, by: str, path: str) -> dict[str, str]:
        if by == "nobody":
            return {}
        groups = {"users": self.release.users, "roles": self.release.roles, "permissions": self.release.permissions}
        takes = next((kind for group, kind in groups.items() if kind and f"/{group}" in path), None)
        takes = takes or ("basic" if self.release.api == "v1" else "token")
        if by == "other":
            takes = "token" if takes == "basic" else "basic"
        if takes == "token":
            return {"Authorization": f"Bearer {'x.y.z' if by == 'wrong' else self.token}"}
        username, password = self.admin
        pair = f"{username}:{'wrong' if by == 'wrong' else password}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str):
            for name, text in self.names.items():
                value = value.replace(f"{{{name}}}", text)
            return value
        if isinstance(value, dict):
            return {name: self._filled(item) for name, item in value.items()}
        return [self._filled(item) for item in value] if isinstance(value, list) else value


def differences(fake: Answer, real: Answer) -> list[str]:
    if (fake.status, fake.kind) != (real.status, real.kind):
        return [f"{fake.status} {fake.kind}, but Airflow's is {real.status} {real.kind}: {real.content[:300]!r}"]
    if real.status >= 400:
        said, meant = words(fake.json()), words(real.json())
        return [] if said == meant else [f"{said}\n  Airflow: {meant}"]
    return shape(fake.json(), real.json(), "answer")


def words(value: Any) -> Any:
    """Without what is another at each time."""
    if isinstance(value, str):
        return re.sub(r"(?<=ID )[\w-]{8}$|(?<=INSERT INTO dag_run ).*", "…", value, flags=re.DOTALL)
    if isinstance(value, dict):
        return {name: words(item) for name, item in value.items()}
    return [words(item) for item in value] if isinstance(value, list) else value


def shape(fake: Any, real: Any, where: str) -> list[str]:
    """Where one has a name that the other does not have, or another kind of value."""
    if fake is None or real is None:
        return []  # either may be unset
    if isinstance(fake, dict) and isinstance(real, dict):
        if where.endswith((".conf", ".params", ".default_args", ".rendered_fields")):
            return []  # what the DAGs say
        lines = [f"{where}.{name} is not Airflow's" for name in fake.keys() - real.keys()]
        lines += [f"{where}.{name} is Airflow's, too: {real[name]!r}" for name in real.keys() - fake.keys()]
        known = fake.keys() & real.keys()
        return lines + [line for name in known for line in shape(fake[name], real[name], f"{where}.{name}")]
    if isinstance(fake, list) and isinstance(real, list):
        if bool(fake) != bool(real) and not where.endswith(BY_CHANCE):
            return [f"{where} has {len(fake)}, Airflow has {len(real)}"]
        return shape(fake[0], real[0], f"{where}[0]") if fake and real else []
    numbers = (int, float)
    same = type(fake) is type(real) or (isinstance(fake, numbers) and isinstance(real, numbers))
    return [] if same else [f"{where} is {type(fake).__name__}, Airflow's is {type(real).__name__}"]


@pytest.mark.parametrize("name", [pytest.param(name, marks=on(name)) for name in RELEASES])
def test_the_fake_answers_as_airflow_does(real_airflows: RealAirflows, name: str) -> None:
    real, release = real_airflows.get(name), RELEASES[name]
    # a time of its own for each test run, after the DAGs' start: a run from before it has no tasks
    when = datetime(2026, 2, 1, tzinfo=UTC) + timedelta(seconds=random.randrange(200 * 86_400), milliseconds=789)
    own = unique("s")
    names = {
        "u": own,
        "U": own.upper(),
        "when": when.isoformat(timespec="milliseconds"),
        "later": (when + timedelta(hours=1)).isoformat(timespec="milliseconds"),
        "api": f"/api/{release.api}",
        "people": "/auth/fab/v1" if release.api == "v2" else "/api/v1",
    }
    with FakeAirflow(release=name, admin=real.admin) as fake:
        ask_fake, ask_real = (Asker(server.url, real.admin, release, names) for server in (fake, real))
        wrong = [
            f"{case}: {line}" for case in cases(release.api) for line in differences(ask_fake(case), ask_real(case))
        ]
    assert not wrong, "\n".join(wrong)
