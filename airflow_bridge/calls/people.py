"""Users, and the roles they have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from airflow_bridge.answers import Again
from airflow_bridge.calls.part import Part, Place, addressable, one_budget, readable
from airflow_bridge.errors import Conflict, NotApplied, NotFound, Rejected
from airflow_bridge.types import User


class People(Part):
    def users(self) -> Iterator[User]:
        place = self._place("users")
        return self._pages(
            f"{place.base}/users",
            "users",
            parse=self._parser.user,
            tell=lambda user: user.username,
            order="id",
            what="for its users",
            needs="can_read on Users",
            auth=place.auth,
        )

    @one_budget
    def user(self, username: str) -> User | None:
        if not addressable(username):
            return next((user for user in self.users() if user.username == username), None)
        try:
            return self._read_user(username)
        except NotFound:
            return None

    @one_budget
    def find_user(self, *, username: str, email: str, id: str = "") -> User | None:
        """By stored name first, then by e-mail (in any case) among all users; never by a constructed name.

        id: `User.id` as it was seen before. The user with this id is found also under another name and e-mail address;
        if there is none, the name and the e-mail decide.
        """
        found = self.user(username) if username else None
        if found is not None and (not id or found.id in ("", id)):
            return found
        if not email and not id:
            return found
        everybody = list(self.users())
        if id and len(renamed := [user for user in everybody if user.id == id]) == 1:
            return renamed[0]
        if not email:
            return found
        same = [user for user in everybody if user.email.casefold() == email.casefold()]
        exact = [user for user in same if user.email == email]
        if len(same) > 1 and len(exact) != 1:
            names = ", ".join(sorted(user.username for user in same))
            raise Conflict(f"{self._http.name} has several users with the e-mail {email}: {names}. Keep one of them.")
        return next(iter(exact or same), found)

    @one_budget
    def create_user(
        self, *, username: str, email: str, first_name: str, last_name: str, password: str, roles: Iterable[str]
    ) -> User:
        """Raises Conflict where name or e-mail is taken, Rejected for an unknown role or no role at all."""
        place, wanted = self._place("users"), _names(roles)
        if not wanted:
            raise Rejected(f"A user of {self._http.name} needs at least one role from the start.", field="roles")
        if not addressable(username):
            raise Rejected(
                f"{self._http.name} could never find a user called “{readable(username)}” again: a name must not be "
                "empty, contain a slash, or half a character.",
                field="username",
            )
        person = {"username": username, "email": email, "first_name": first_name, "last_name": last_name}
        for name, value in {**person, "password": password}.items():
            if not value:  # Airflow 2 would take an empty one
                raise Rejected(f"A user of {self._http.name} needs “{name}”; it is empty.", field=name)
        with self._http.sender.redactor.hiding([password]):
            self._http.call(
                "POST",
                f"{place.base}/users",
                what=f"to create the user {username}",
                needs="can_create on Users",
                body={**person, "password": password, "roles": wanted},
                parse=self._parser.user,
                again=Again.OVER,
                auth=place.auth,
            )
        with self._reading_back(f"the user {username}"):
            return self._read_user(username)

    @one_budget
    def update_user(
        self,
        username: str,
        *,
        email: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        password: str | None = None,
    ) -> User:
        """Change the given fields. Raises NotApplied if the read-back differs."""
        given = {"email": email, "first_name": first_name, "last_name": last_name, "password": password}
        changes = {name: value for name, value in given.items() if value is not None}
        for name, value in changes.items():
            if not value:
                raise Rejected(f"The “{name}” of a user of {self._http.name} cannot be empty.", field=name)
        with self._http.sender.redactor.hiding([password or ""]):
            what = f"to change {', '.join(changes) or 'nothing'} of {username}"
            user = self._patch_user(username, changes, what=what)
        shown = {name: getattr(user, name) for name in changes if name != "password"}
        if shown != {name: value for name, value in changes.items() if name != "password"}:
            raise NotApplied(f"{self._http.name} accepted the change of {username} but shows {shown}.")
        return user

    @one_budget
    def set_roles(self, username: str, roles: Iterable[str]) -> User:
        """Replace the role list and read it back. Raises NotApplied if Airflow shows another set.

        Airflow has no conditional update: only one writer per person may do this at a time.
        """
        wanted = frozenset(roles)
        user = self._patch_user(username, {"roles": _names(wanted)}, what=f"to set the roles of {username}")
        if user.roles != wanted:
            raise NotApplied(
                f"{self._http.name} accepted the roles of {user.username} but shows {_listed(user.roles)} instead of "
                f"{_listed(wanted)}."
            )
        return user

    @one_budget
    def delete_user(self, username: str) -> None:
        """Their sessions and tokens work for up to 30 s more: take their roles away first."""
        place = self._place("users")
        self._http.call(
            "DELETE",
            self._user_path(place, username),
            what=f"to delete the user {username}",
            needs="can_delete on Users",
            parse=lambda body: None,
            again=Again.ANY,
            auth=place.auth,
        )

    def _patch_user(self, username: str, changes: Mapping[str, object], *, what: str) -> User:
        """Change and read back."""
        place = self._place("users")
        path, body = self._user_path(place, username), dict(changes)
        if place.connexion:
            # PATCH needs the complete user, and the stored spelling of the name; the mask limits what is written
            user = self._read_user(username)
            path = self._user_path(place, user.username)
            stored = {name: getattr(user, name) for name in ("username", "email", "first_name", "last_name")}
            body = {**stored, **changes}
        self._http.call(
            "PATCH",
            path,
            what=what,
            needs="can_edit on Users",
            params={"update_mask": ",".join(changes)},
            body=body,
            parse=lambda answer: None,  # the answer proves nothing: see the read-back
            again=Again.ANY,
            auth=place.auth,
        )
        with self._reading_back(f"the change of {username}"):
            return self._read_user(username)

    def _read_user(self, username: str) -> User:
        place = self._place("users")
        what, needs = f"for the user {username}", "can_read on Users"
        path = self._user_path(place, username)
        return self._http.call("GET", path, what=what, needs=needs, parse=self._parser.user, auth=place.auth)

    def _user_path(self, place: Place, username: str) -> str:
        if not addressable(username):
            raise Rejected(
                f"{self._http.name} cannot change the user “{readable(username)}”: its API cannot address that name.",
                field="username",
            )
        return f"{place.base}/users/{quote(username, safe='')}"


def _names(roles: Iterable[str]) -> list[dict[str, str]]:
    """Each once: Airflow 2 answers 200 to a role named twice, and changes nothing."""
    return [{"name": name} for name in sorted(set(roles))]


def _listed(roles: Iterable[str]) -> str:
    return ", ".join(sorted(roles)) or "no role"
