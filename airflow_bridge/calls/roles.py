"""Roles and what they permit; among them those for access to one DAG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from urllib.parse import quote

from airflow_bridge.answers import Again
from airflow_bridge.calls.part import Part, Place, addressable, one_budget, readable, unsupported
from airflow_bridge.dag_roles import GIVEN_BY_AIRFLOW, is_complete
from airflow_bridge.errors import Conflict, Forbidden, NotApplied, NotFound, NotParsed, Overruled, Rejected, Unsupported
from airflow_bridge.types import Permission, Role

ROLE_NAME = 64  # characters; the column in Airflow's database
ONLY_ADDS = (
    "This Airflow can add permissions to a role, but not take any away. "
    "Make a new role, and give people that one instead."
)
LOOKS = (0.2, 0.5, 1.0)  # seconds before a role that may be in the making is read again


class Roles(Part):
    def roles(self) -> Iterator[Role]:
        place = self._place("roles")
        return self._pages(
            f"{place.base}/roles",
            "roles",
            parse=self._parser.role,
            tell=lambda role: role.name,
            order="name",
            what="for its roles",
            needs="can_read on Roles",
            auth=place.auth,
        )

    @one_budget
    def role(self, name: str) -> Role | None:
        if not addressable(name):
            return next((role for role in self.roles() if role.name == name), None)
        try:
            return self._read_role(name)
        except NotFound:
            return None

    @one_budget
    def create_role(self, name: str, permissions: Iterable[Permission]) -> Role:
        """Raises Conflict where it exists, Rejected where an action or resource is unknown."""
        self._create_role(name, sorted(set(permissions)))
        with self._reading_back(f"the role {name}"):
            return self._read_role(name)

    def _create_role(self, name: str, permissions: Sequence[Permission]) -> None:
        """Airflow gives a new role its permissions one by one, in the order in which they stand here."""
        place = self._place("roles")
        self._check_role_name(name)
        self._http.call(
            "POST",
            f"{place.base}/roles",
            what=f"to create the role {name}",
            needs="can_create on Roles",
            body={"name": name, "actions": _pairs(permissions)},
            parse=lambda body: None,  # Airflow 2 says nothing about it
            again=Again.OVER,
            auth=place.auth,
        )

    @one_budget
    def update_role(self, name: str, permissions: Iterable[Permission]) -> Role:
        """Make it permit exactly this. Raises Unsupported where this Airflow cannot take permissions away."""
        self._require("role_edits")
        place, wanted = self._place("roles"), frozenset(permissions)
        before = self._read_role(name)
        if before.permissions - wanted and place.connexion:
            raise self._only_adds(name, before.permissions - wanted)
        self._http.call(
            "PATCH",
            self._role_path(place, name),
            what=f"to change the role {name}",
            needs="can_edit on Roles",
            params={"update_mask": "actions"},
            body={"name": name, "actions": _pairs(sorted(wanted))},
            parse=lambda body: None,
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

    @one_budget
    def delete_role(self, name: str) -> None:
        """It is taken from everybody who has it. Never delete a role that a DAG file names."""
        self._require("role_edits")
        place = self._place("roles")
        self._http.call(
            "DELETE",
            self._role_path(place, name),
            what=f"to delete the role {name}",
            needs="can_delete on Roles",
            parse=lambda body: None,
            again=Again.ANY,
            auth=place.auth,
        )

    def permissions(self) -> frozenset[Permission]:
        """Every pair of action and resource there is.

        Airflow 2 and FAB providers before 3.3 list no pairs: there it is what its roles permit, which leaves out pairs
        for a single DAG that no role has.
        """
        place = self._place("permissions")
        if place.connexion:
            return self._permissions_of_roles()
        return frozenset(
            self._pages(
                f"{place.base}/permissions",
                "actions",
                parse=self._parser.permission,
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

    @one_budget
    def ensure_dag_role(self, name: str, dag_id: str, permissions: Iterable[Permission]) -> Role:
        """The role for access to one DAG (see `dag_permissions`): created once, complete, and found again afterwards.

        Airflow makes a role permission by permission, each in a transaction of its own. One that is being made at this
        moment is read again until it is complete; one whose making was broken off is completed.
        Raises NotParsed where Airflow has not read the DAG's file yet, Overruled where the role lacks what it permits
        on that DAG, as it does when the file sets access_control, Conflict where it permits more than that, Rejected
        where it is incomplete and cannot be completed.
        """
        wanted, on_dag = frozenset(permissions), frozenset({f"DAG:{dag_id}", f"DAG Run:{dag_id}"})
        role = self.role(name)
        if role is None:
            role = self._make_dag_role(name, dag_id, wanted, on_dag)
        role = self._read_until_complete(role, wanted)
        if more := role.permissions - wanted - GIVEN_BY_AIRFLOW:
            # somebody who may create roles could have made it in advance, to gain more access
            raise Conflict(
                f"The role {name} on {self._http.name} permits more than access to {dag_id}: {_words(more)}. Nobody is "
                "given it. Look who made it, then delete it in Airflow: it is made anew, as it should be."
            )
        if _broken_off(wanted - role.permissions, on_dag):
            role = self._complete(role, wanted)
        if lacking := wanted - role.permissions:
            raise Overruled(
                f"The role {name} on {self._http.name} lacks {_words(lacking)}. The file of {dag_id} probably sets "
                "access_control, which overrules what is given from outside.",
                field="dag_id",
            )
        return role

    def _make_dag_role(self, name: str, dag_id: str, wanted: frozenset[Permission], on_dag: frozenset[str]) -> Role:
        try:
            self._create_role(name, _in_order(wanted, on_dag))
        except Conflict:
            pass  # somebody else was quicker
        except Rejected as error:
            if any(resource in str(error) for resource in on_dag):
                raise NotParsed(
                    f"{self._http.name} has not read the file of the DAG {dag_id} yet, so nobody can be given access "
                    f"to it: {error}",
                    field="dag_id",
                ) from None
            raise
        with self._reading_back(f"the role {name}"):
            return self._read_role(name)

    def _read_until_complete(self, role: Role, wanted: frozenset[Permission]) -> Role:
        """The role; read again a few times while it is incomplete, as it may be in the making."""
        for pause in LOOKS:
            if is_complete(role, wanted):
                break
            self._http.pause(pause)
            role = self._read_role(role.name)
        return role

    def _complete(self, role: Role, wanted: frozenset[Permission]) -> Role:
        try:
            return self.update_role(role.name, wanted)
        except (Forbidden, Unsupported) as error:
            raise Rejected(
                f"The making of the role {role.name} on {self._http.name} was broken off: it lacks "
                f"{_words(wanted - role.permissions)}. Completing it failed: {error} Delete the role in Airflow: it is "
                "made anew.",
                field="dag_id",
            ) from None

    def _read_role(self, name: str) -> Role:
        place = self._place("roles")
        what, needs = f"for the role {name}", "can_read on Roles"
        path = self._role_path(place, name)
        return self._http.call("GET", path, what=what, needs=needs, parse=self._parser.role, auth=place.auth)

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


def _in_order(wanted: Iterable[Permission], on_dag: Set[str]) -> list[Permission]:
    """The permissions that `_broken_off` looks for come last: nothing but this call adds or removes them."""
    last = {True: 0, False: 2}
    return sorted(wanted, key=lambda pair: (1 if pair in GIVEN_BY_AIRFLOW else last[pair[1] in on_dag], pair))


def _broken_off(lacking: Iterable[Permission], on_dag: Set[str]) -> bool:
    """Whether the role was never complete. `access_control` in a DAG's file removes permissions on that DAG alone, so a
    role that lacks any other permission was interrupted while it was made."""
    return any(resource not in on_dag for _, resource in lacking)


def _pairs(permissions: Iterable[Permission]) -> list[dict[str, dict[str, str]]]:
    return [{"action": {"name": action}, "resource": {"name": on}} for action, on in permissions]


def _words(permissions: Iterable[Permission]) -> str:
    return ", ".join(f"{action} on {on}" for action, on in sorted(permissions))
