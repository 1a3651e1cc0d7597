"""Who may operate which DAG. Each check raises Refused with its reason."""

from __future__ import annotations

from collections.abc import Mapping

from accounts import people
from accounts.models import User
from portal.catalogue import airflows
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Dag
from portal.core.errors import Refused

Policies = Mapping[str, PolicySpec]
VERBS = {"trigger": "run", "pause": "pause or unpause"}


def may_see(user: User, dag: Dag, policies: Policies | None = None) -> bool:
    """Whether `user` may operate the DAG, with or without an approval.

    policies: the policies in force, if the caller has read them for a list.
    """
    return people.is_one_of(user, [*dag.who, *_may_ask(dag, policies)])


def check_can_operate(by: User, dag: Dag, action: str, policies: Policies | None = None) -> None:
    """Raises Refused if `by` may not do `action` ("trigger", "pause") without an approval.

    Reasons: `not_offered`, `needs_approval`, `not_eligible`.
    """
    verb = VERBS[action]
    if dag.retired_at is not None or dag.deployment.retired_at is not None:
        raise Refused(f"{dag.dag_id} is no longer in the catalogue.", reason="not_offered")
    if action not in dag.actions:
        raise Refused(
            f"The catalogue does not allow anybody to {verb} {dag.dag_id} in Gatehouse.",
            reason="not_offered",
        )
    if people.is_one_of(by, dag.who):
        return
    at_once = ", ".join(subject.replace(":", " ") for subject in dag.who) or "nobody"
    if people.is_one_of(by, _may_ask(dag, policies)):
        raise Refused(
            f"You may {verb} {dag.dag_id} only with an approval, and Gatehouse cannot ask for one yet. "
            f"Allowed without one: {at_once}.",
            reason="needs_approval",
        )
    raise Refused(f"You may not {verb} {dag.dag_id}. Allowed: {at_once}.", reason="not_eligible")


def why_not_any_more(username: str, dag: Dag, action: str) -> str:
    """In words, why the person may no longer do what they requested earlier; empty if they still may.

    Everybody can read the answer. A DAG of a renamed deployment is checked under the new name.
    """
    by = User.objects.filter(username=username, is_active=True).first()
    if by is None:
        return f"{username}, who asked for it, is deactivated."
    named = Dag.objects.filter(deployment=airflows.current(dag.deployment), dag_id=dag.dag_id)
    try:
        check_can_operate(by, named.select_related("deployment").first() or dag, action)
    except Refused as refusal:
        if refusal.reason == "not_offered":
            return refusal.detail
        return f"{username}, who asked for it, may no longer {VERBS[action]} {dag.dag_id} without an approval."
    return ""


def _may_ask(dag: Dag, policies: Policies | None) -> list[str]:
    if not dag.policy:
        return []
    known = policies if policies is not None else catalogue.policies_in_force()
    return known[dag.policy].may_request
