"""People and roles of Airflow 3, through the FAB auth manager (provider 3.3 or newer)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote

from airflow_bridge import shapes
from airflow_bridge.errors import Conflict, NotFound, Rejected
from airflow_bridge.http import Http
from airflow_bridge.types import Permission, Role, User

FAB = "/auth/fab/v1"
ROLE_NAME = 64  # characters; the column in Airflow's database


class People:
    """The part of `airflow_bridge.client.Airflow` about people and roles."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def user(self, username: str) -> User | None:
        if not _addressable(username):
            return next((user for user in self.users() if user.username == username), None)
        try:
            return self._read_user(username)
        except NotFound:
            return None

    def users(self) -> Iterator[User]:
        return self._http.pages(
            f"{FAB}/users", "users", shape=shapes.user, order="id", what="for its users", needs="can_read on Users"
        )

    def find_user(self, *, username: str, email: str) -> User | None:
        if username and (found := self.user(username)):
            return found
        if not email:
            return None
        same = [user for user in self.users() if user.email.casefold() == email.casefold()]
        exact = [user for user in same if user.email == email]
        if len(same) > 1 and len(exact) != 1:
            names = ", ".join(sorted(user.username for user in same))
            raise Conflict(f"{self._http.name} has several users with the e-mail {email}: {names}. Keep one of them.")
        return next(iter(exact or same), None)

    def create_user(
        self, *, username: str, email: str, first_name: str, last_name: str, password: str, roles: Iterable[str]
    ) -> User:
        wanted = _names(roles)
        if not wanted:
            raise Rejected(f"A user of {self._http.name} needs at least one role from the start.", field="roles")
        if not _addressable(username):
            raise Rejected(
                f"{self._http.name} could never find a user called “{username}” again: a name must not be empty or "
                "contain a slash.",
                field="username",
            )
        person = {"username": username, "email": email, "first_name": first_name, "last_name": last_name}
        self._http.call(
            "POST",
            f"{FAB}/users",
            what=f"to create the user {username}",
            needs="can_create on Users",
            body={**person, "password": password, "roles": wanted},
            shape=shapes.user,
            repeatable=True,  # at worst, the second one says that it is there
        )
        return self._read_user(username)

    def set_roles(self, username: str, roles: Iterable[str]) -> User:
        if not _addressable(username):
            raise Rejected(f"{self._http.name} cannot change the user “{username}”: its API cannot address that name.")
        self._http.call(
            "PATCH",
            f"{FAB}/users/{quote(username, safe='')}",
            what=f"to set the roles of {username}",
            needs="can_edit on Users",
            body={"roles": _names(roles)},
            repeatable=True,
            shape=shapes.user,
        )
        return self._read_user(username)

    def role(self, name: str) -> Role | None:
        if not _addressable(name):
            return next((role for role in self.roles() if role.name == name), None)
        try:
            return self._read_role(name)
        except NotFound:
            return None

    def roles(self) -> Iterator[Role]:
        return self._http.pages(
            f"{FAB}/roles", "roles", shape=shapes.role, order="name", what="for its roles", needs="can_read on Roles"
        )

    def create_role(self, name: str, permissions: Iterable[Permission]) -> Role:
        if len(name) > ROLE_NAME or not _addressable(name):
            raise Rejected(
                f"“{name}” cannot be the name of a role in {self._http.name}: it takes 1 to {ROLE_NAME} characters "
                "without a slash.",
                field="name",
            )
        pairs = [{"action": {"name": action}, "resource": {"name": on}} for action, on in sorted(set(permissions))]
        self._http.call(
            "POST",
            f"{FAB}/roles",
            what=f"to create the role {name}",
            needs="can_create on Roles",
            body={"name": name, "actions": pairs},
            shape=shapes.role,
            repeatable=True,
        )
        return self._read_role(name)

    def _read_user(self, username: str) -> User:
        what, needs = f"for the user {username}", "can_read on Users"
        path = f"{FAB}/users/{quote(username, safe='')}"
        return self._http.call("GET", path, what=what, needs=needs, shape=shapes.user)

    def _read_role(self, name: str) -> Role:
        what, needs = f"for the role {name}", "can_read on Roles"
        return self._http.call("GET", f"{FAB}/roles/{quote(name, safe='')}", what=what, needs=needs, shape=shapes.role)


def _names(roles: Iterable[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in sorted(set(roles))]


def _addressable(name: str) -> bool:
    """Whether `name` can stand in a path: with a slash in it Airflow finds nothing, however it is encoded."""
    return bool(name) and "/" not in name and name not in (".", "..")
