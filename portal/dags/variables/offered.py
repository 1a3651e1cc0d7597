"""The Airflow variables that the catalogue offers, and who may see and change them.

They are meant for settings of DAGs. The trail keeps every value forever, so names that sound like secrets are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from accounts import people, roles
from accounts.credentials import sees_everybody
from accounts.models import User
from accounts.permissions import Permission
from portal.catalogue import airflows
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Deployment
from portal.core.errors import Missing, Refused
from portal.core.secrecy import sounds_secret

Policies = Mapping[str, PolicySpec]
WHY_NO_SECRETS = (
    "sounds like a secret, and the audit trail keeps every value. Keep secrets in a connection or a secrets backend."
)


@dataclass(frozen=True)
class Offered:
    """A variable of the catalogue in force. schema: JSON Schema keywords of its value; empty: any text."""

    deployment: Deployment
    key: str
    schema: Mapping[str, Any]
    description: str
    who: list[str]
    policy: str

    @property
    def subject(self) -> str:
        """Its name in requests, operations and the trail. It has two slashes; the name of a DAG has one."""
        return f"{self.deployment.name}/variable/{self.key}"

    @property
    def is_bare(self) -> bool:
        """The catalogue names nobody, so it is for the admins."""
        return not self.who and not self.policy

    @property
    def at_once(self) -> str:
        """The people who may change it without an approval, in words."""
        return "the admins" if self.is_bare else _names(self.who)


def all_of(deployment: Deployment) -> list[Offered]:
    """The variables of a deployment, in the order of the file."""
    return [_offered(deployment, one) for one in deployment.variables if not sounds_secret(one["key"])]


def _offered(deployment: Deployment, entry: Mapping[str, Any]) -> Offered:
    names = ("schema", "description", "who", "policy")
    empty: dict[str, Any] = {"schema": {}, "description": "", "who": [], "policy": ""}
    return Offered(deployment, entry["key"], *(entry.get(name) or empty[name] for name in names))


def find(deployment: Deployment, key: str) -> Offered:
    """The variable in the catalogue in force.

    Raises Refused: `retired` (the deployment), `secret` (the name), `not_offered` (by the catalogue).
    """
    if deployment.retired_at is not None:
        raise Refused(
            f"{deployment.name} is no longer in the catalogue. "
            "Put it back into gatehouse.toml to change its variables.",
            reason="retired",
        )
    if sounds_secret(key):
        raise Refused(f"“{key[:80]}” {WHY_NO_SECRETS}", reason="secret")
    found = next((one for one in all_of(deployment) if one.key == key), None)
    if found is None:
        raise Refused(  # the other variables are not named: not everybody who reads this may see them
            f"The catalogue does not offer the variable “{key[:80]}” of {deployment.name}. "
            "Name it under variables in gatehouse.toml.",
            reason="not_offered",
        )
    return found


def current(deployment: Deployment, key: str) -> Offered:
    """The same, also if the deployment was renamed. Raises Refused, as `find`."""
    return find(airflows.current(Deployment.objects.get(pk=deployment.pk)), key)


def visible_to(user: User, policies: Policies | None = None) -> Iterator[Offered]:
    """The variables that a person may see: those that they may change or ask for. Auditors and admins see all."""
    known = policies if policies is not None else catalogue.policies_in_force()
    for deployment in catalogue.deployments_in_force().order_by("name"):
        yield from (one for one in all_of(deployment) if may_see(user, one, known))


def find_for(user: User, deployment: str, key: str) -> Offered:
    """Raises Missing, with the same words for a variable that is not offered and one that `user` may not see."""
    row = catalogue.deployments_in_force().filter(name=deployment).first()
    found = next((one for one in all_of(row) if one.key == key), None) if row else None
    if found is None or not may_see(user, found):
        raise Missing(f"There is no variable “{key[:80]}” of {deployment[:40]} for you to see.")
    return found


def may_see(user: User, variable: Offered, policies: Policies | None = None) -> bool:
    named = [*variable.who, *_may_ask(variable, policies)]
    return sees_everybody(user) or may_change_at_once(user, variable) or people.is_one_of(user, named)


def may_change_at_once(by: User, variable: Offered) -> bool:
    return people.is_one_of(by, variable.who) or (variable.is_bare and roles.has(by, Permission.REPAIR))


def check_can_change(by: User, variable: Offered, policies: Policies | None = None) -> None:
    """Raises Refused if `by` may not change the variable without an approval: `needs_approval`, `not_eligible`."""
    if may_change_at_once(by, variable):
        return
    if people.is_one_of(by, _may_ask(variable, policies)):
        raise Refused(
            f"You may change {variable.key} only with an approval. Ask for it with the new value and a reason. "
            f"Allowed without one: {variable.at_once}.",
            reason="needs_approval",
        )
    raise Refused(f"You may not change {variable.key}. Allowed: {variable.at_once}.", reason="not_eligible")


def check_can_ask(by: User, variable: Offered, policies: Policies | None = None) -> None:
    """Raises Refused if `by` may not ask for a change: `not_offered` (it has no policy), `not_eligible`."""
    if not variable.policy:
        raise Refused(
            f"A change of {variable.key} cannot be asked for: it has no policy. Allowed to change it: "
            f"{variable.at_once}.",
            reason="not_offered",
        )
    asking = _may_ask(variable, policies)
    if not may_change_at_once(by, variable) and not people.is_one_of(by, asking):
        named = _names([*variable.who, *asking])
        raise Refused(f"You may not ask for a change of {variable.key}. Allowed: {named}.", reason="not_eligible")


def why_not_any_more(username: str, variable: Offered, *, approved: bool) -> str:
    """In words, why the person may no longer change what they asked for earlier; empty if they still may.

    approved: approvers decided it, so it is enough that the variable's policy names the person.
    Everybody can read the answer.
    """
    by = User.objects.filter(username=username, is_active=True).first()
    if by is None:
        return f"{username}, who asked for it, is deactivated."
    try:
        (check_can_ask if approved else check_can_change)(by, variable)
    except Refused:
        without = "" if approved else " without an approval"
        return f"{username}, who asked for it, may no longer change {variable.key}{without}."
    return ""


def asking(variable: Offered) -> str:
    """The people who may ask for a change, in words; empty if there is no policy."""
    return _names(_may_ask(variable, None))


def _may_ask(variable: Offered, policies: Policies | None) -> list[str]:
    if not variable.policy:
        return []
    known = policies if policies is not None else catalogue.policies_in_force()
    policy = known.get(variable.policy)  # another version may be put in force between the two queries
    return policy.may_request if policy else []


def _names(subjects: list[str]) -> str:
    return ", ".join(subject.replace(":", " ") for subject in dict.fromkeys(subjects)) or "nobody"
