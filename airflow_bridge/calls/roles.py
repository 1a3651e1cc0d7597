"""Roles and what they permit; among them those for access to one DAG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote

from airflow_bridge.answers import Again
from airflow_bridge.calls.part import Part, Place, addressable, readable, unsupported, whole
from airflow_bridge.errors import Conflict, NotApplied, NotFound, NotParsed, Overruled, Rejected
from airflow_bridge.types import Permission, Role

ROLE_NAME = 64  # characters; the column in Airflow's database
ONLY_ADDS = (
    "This Airflow can add permissions to a role, but not take any away. "
    "Make a new role, and give people that one instead."
)
GIVEN_BY_AIRFLOW: frozenset[Permission] = frozenset({("can_read", "Website")})  # to every role, at its start


class Roles(Part):
    """The part of `airflow_bridge.client.Airflow` about roles."""

    def roles(self) -> Iterator[Role]:
        place = self._place("roles")
        return self._pages(
            f"{place.base}/roles",
            "roles",
            shape=self._shapes.role,
            tell=lambda role: role.name,
            order="name",
            what="for its roles",
            needs="can_read on Roles",
            auth=place.auth,
        )

    @whole
    def role(self, name: str) -> Role | None:
        if not addressable(name):
            return next((role for role in self.roles() if role.name == name), None)
        try:
            return self._read_role(name)
        except NotFound:
            return None

    @whole
    def create_role(self, name: str, permissions: Iterable[Permission]) -> Role:
        place = self._place("roles")
        self._check_role_name(name)
        self._http.call(
            "POST",
            f"{place.base}/roles",
            what=f"to create the role {name}",
            needs="can_create on Roles",
            body={"name": name, "actions": _pairs(permissions)},
            shape=lambda body: None,  # Airflow 2 says nothing about it
            again=Again.OVER,
            auth=place.auth,
        )
        with self._reading_back(f"the role {name}"):
            return self._read_role(name)

    @whole
    def update_role(self, name: str, permissions: Iterable[Permission]) -> Role:
        self._require("role_edits")
        place, wanted = self._place("roles"), frozenset(permissions)
        before = self._read_role(name)
        if before.permissions - wanted and place.whole:
            raise self._only_adds(name, before.permissions - wanted)
        self._http.call(
            "PATCH",
            self._role_path(place, name),
            what=f"to change the role {name}",
            needs="can_edit on Roles",
            params={"update_mask": "actions"},
            body={"name": name, "actions": _pairs(wanted)},
            shape=lambda body: None,
            again=Again.ANY,
            auth=place.auth,
        )
        with self._reading_back(f"the change of the role {name}"):
            after = self._read_role(name)
        if lacking := wanted - after.permissions:
            raise NotApplied(f"{self._http.name} accepted the role {name} but it lacks {_words(lacking)}.")
        if left := after.permissions - wanted:
            if added := after.permissions - before.permissions:
                raise NotApplied(
                    f"{self._http.name} accepted the change of the role {name}: it has {_words(added)} now, but keeps "
                    f"{_words(left)}. {ONLY_ADDS}"
                )
            raise self._only_adds(name, left)
        return after

    @whole
    def rename_role(self, name: str, new_name: str) -> Role:
        self._require("role_edits")
        self._check_role_name(new_name)
        place, before = self._place("roles"), self._read_role(name)
        if self.role(new_name) is not None:
            # Airflow would say that it is done, and do nothing
            raise Conflict(f"{self._http.name} already has a role called {new_name}.")
        self._http.call(
            "PATCH",
            self._role_path(place, name),
            what=f"to rename the role {name} to {new_name}",
            needs="can_edit on Roles",
            params={"update_mask": "name"},
            body={"name": new_name, "actions": _pairs(before.permissions)},
            shape=lambda body: None,
            auth=place.auth,
        )
        with self._reading_back(f"the new name of the role {name}"):
            after = self.role(new_name)
        if after is None:
            raise NotApplied(f"{self._http.name} accepted the new name of {name} but has no role {new_name}.")
        return after

    @whole
    def delete_role(self, name: str) -> None:
        self._require("role_edits")
        place = self._place("roles")
        self._http.call(
            "DELETE",
            self._role_path(place, name),
            what=f"to delete the role {name}",
            needs="can_delete on Roles",
            shape=lambda body: None,
            again=Again.ANY,
            auth=place.auth,
        )

    def permissions(self) -> frozenset[Permission]:
        place = self._place("permissions")
        if place.whole:
            return self._permissions_of_roles()
        return frozenset(
            self._pages(
                f"{place.base}/permissions",
                "actions",
                shape=self._shapes.permission,
                tell=lambda permission: permission,
                order="id",
                what="for its permissions",
                needs="can_read on Roles",
                auth=place.auth,
            )
        )

    def _permissions_of_roles(self) -> frozenset[Permission]:
        """Airflow 2's own list names actions alone. Its Admin has every pair but those of single DAGs."""
        return frozenset().union(*(role.permissions for role in self.roles()))

    @whole
    def ensure_dag_role(self, name: str, dag_id: str, permissions: Iterable[Permission]) -> Role:
        wanted = frozenset(permissions)
        role = self.role(name)
        if role is None:
            try:
                role = self.create_role(name, wanted)
            except Conflict:  # somebody else was quicker
                role = self._read_role(name)
            except Rejected as error:
                if f"DAG:{dag_id}" in str(error) or f"DAG Run:{dag_id}" in str(error):
                    raise NotParsed(
                        f"{self._http.name} has not read the file of the DAG {dag_id} yet, so nobody can be given "
                        f"access to it: {error}",
                        field="dag_id",
                    ) from None
                raise
        if lacking := wanted - role.permissions:
            raise Overruled(
                f"The role {name} on {self._http.name} lacks {_words(lacking)}. The file of {dag_id} probably sets "
                "access_control, which overrules what is given from outside.",
                field="dag_id",
            )
        if more := role.permissions - wanted - GIVEN_BY_AIRFLOW:
            # whoever may create roles could have made it in advance, for whoever is given it
            raise Conflict(
                f"The role {name} on {self._http.name} permits more than access to {dag_id}: {_words(more)}. Nobody is "
                "given it. Look who made it, then delete it in Airflow: it is made anew, as it should be."
            )
        return role

    def _read_role(self, name: str) -> Role:
        place = self._place("roles")
        what, needs = f"for the role {name}", "can_read on Roles"
        path = self._role_path(place, name)
        return self._http.call("GET", path, what=what, needs=needs, shape=self._shapes.role, auth=place.auth)

    def _role_path(self, place: Place, name: str) -> str:
        if not addressable(name):
            raise Rejected(f"{self._http.name} has no way to address a role called “{readable(name)}”.", field="name")
        return f"{place.base}/roles/{quote(name, safe='')}"

    def _check_role_name(self, name: str) -> None:
        if len(name) > ROLE_NAME or not addressable(name):
            raise Rejected(
                f"“{readable(name)}” cannot be the name of a role in {self._http.name}: it takes 1 to {ROLE_NAME} "
                "characters without a slash.",
                field="name",
            )

    def _only_adds(self, name: str, left: Iterable[Permission]) -> Exception:
        return unsupported(self._http.name, f"the role {name} keeps {_words(left)}. {ONLY_ADDS}")


def _pairs(permissions: Iterable[Permission]) -> list[dict[str, dict[str, str]]]:
    return [{"action": {"name": action}, "resource": {"name": on}} for action, on in sorted(set(permissions))]


def _words(permissions: Iterable[Permission]) -> str:
    return ", ".join(f"{action} on {on}" for action, on in sorted(permissions))
