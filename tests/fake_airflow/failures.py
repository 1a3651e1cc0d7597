"""What a test can make go wrong with a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tests.fake_airflow.releases import FakeRelease
from tests.fake_airflow.replies import HTML, Reply, of_release, problem
from tests.fake_airflow.rows import Request

Mode = Literal[
    "500",
    "502",
    "503",
    "504",
    "429",
    "401",
    "html",
    "garbage",
    "ignore",
    "drop",
    "close",
    "half",
    "hang",
    "broken_off",
    "in_parts",
]
STATUSES = {"500", "502", "503", "504", "429"}
PAGE = "<html><body>Something in front of Airflow</body></html>"


@dataclass
class Failure:
    pattern: re.Pattern[str]
    mode: Mode
    times: int
    headers: Mapping[str, str]
    seconds: float

    def applies(self, request: Request) -> bool:
        """Counts, where it does."""
        if not self.times or not self.pattern.fullmatch(str(request)):
            return False
        self.times -= 1
        return True

    def reply(self, release: FakeRelease) -> Reply:
        """Of the modes that answer by themselves."""
        if self.mode == "401" and release.api == "v1":
            refused = of_release(problem(401).reply, release.version)
            return Reply(401, refused.body, refused.kind, {"WWW-Authenticate": "Basic", **self.headers})
        if self.mode == "401":
            return Reply(401, {"detail": "Token Expired"}, headers=self.headers)
        if self.mode == "garbage":
            return Reply(200, {"unexpected": True}, headers=self.headers)
        return Reply(int(self.mode) if self.mode in STATUSES else 200, PAGE, HTML, self.headers)
