"""The Airflow releases the fake can be, and what differs between them where a client can see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Credentials = Literal["token", "basic"]
"""What a group of endpoints takes: a token from /auth/token, or user name and password with every request."""


@dataclass(frozen=True)
class FakeRelease:
    """None for users, roles and permissions: there is no such API."""

    version: str
    api: Literal["v1", "v2"]
    fab: str | None
    """Version of the FAB provider; None with the simple auth manager."""
    users: Credentials | None
    roles: Credentials | None
    permissions: Credentials | None
    role_edits: bool = True
    """False: PATCH of a role is refused even to Admin, and DELETE breaks."""

    def since(self, *release: int) -> bool:
        """This one or a newer one: since(3, 1)."""
        return tuple(int(part) for part in self.version.split(".")[: len(release)]) >= release


RELEASES: Mapping[str, FakeRelease] = {
    "2.11.2": FakeRelease("2.11.2", "v1", "1.5.4", users="basic", roles="basic", permissions="basic"),
    "3.0.6": FakeRelease(
        "3.0.6",
        "v2",
        "2.4.2",
        users="basic",
        roles="basic",
        permissions="basic",
    ),
    "3.1.6": FakeRelease(
        "3.1.6",
        "v2",
        "3.1.2",
        users="basic",
        roles="token",
        permissions="basic",
        role_edits=False,
    ),
    "3.3.2": FakeRelease("3.3.2", "v2", "3.10.2", users="token", roles="token", permissions="token"),
    "3.3.2-simple": FakeRelease("3.3.2", "v2", None, users=None, roles=None, permissions=None),
}
