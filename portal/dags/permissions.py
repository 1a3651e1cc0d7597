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
from portal.dags.models import Permit, Run

Policies = Mapping[str, PolicySpec]
VERBS = {
    "trigger": "run",
    "pause": "pause or unpause",
    "retry": "retry runs of",
    "cancel": "cancel runs of",
    "logs": "read logs of",
}


def may_see(user: User, dag: Dag, policies: Policies | None = None) -> bool:
    """Whether `user` may operate the DAG, with or without an approval.

    policies: the policies in force, if the caller has read them for a list.
    """
    return people.is_one_of(user, [*dag.who, *_may_ask(dag, policies)])


def check_can_operate(by: User, dag: Dag, action: str, policies: Policies | None = None) -> None:
    """Raises Refused if `by` may not do `action` ("trigger", "pause") without an approval.

    Reasons: `not_offered`, `needs_approval`, `not_eligible`. Only a run can be asked for.
    """
    check_offered(dag, action)
    if may_act_at_once(by, dag):
        return
    verb, at_once = VERBS[action], ", ".join(subject.replace(":", " ") for subject in dag.who) or "nobody"
    if people.is_one_of(by, _may_ask(dag, policies)):
        if action != "trigger":
            raise Refused(
                f"You may not {verb} {dag.dag_id}, and only a run can be asked for. Allowed: {at_once}.",
                reason="needs_approval",
            )
        raise Refused(
            f"You may {verb} {dag.dag_id} only with an approval. Ask for it: enter the parameters and a reason. "
            f"Allowed without one: {at_once}.",
            reason="needs_approval",
        )
    raise Refused(f"You may not {verb} {dag.dag_id}. Allowed: {at_once}.", reason="not_eligible")


def check_can_ask(by: User, dag: Dag, policies: Policies | None = None) -> None:
    """Raises Refused if `by` may not ask for a run of this DAG. Who may run it at once may ask, too: for a later start.

    Reasons: `not_offered`, `not_eligible`.
    """
    check_offered(dag, "trigger")
    asking = _may_ask(dag, policies)
    if may_act_at_once(by, dag) or people.is_one_of(by, asking):
        return
    named = ", ".join(subject.replace(":", " ") for subject in dict.fromkeys([*dag.who, *asking])) or "nobody"
    raise Refused(f"You may not ask for a run of {dag.dag_id}. Allowed: {named}.", reason="not_eligible")


def check_offered(dag: Dag, action: str) -> None:
    """Raises Refused (`not_offered`) if the catalogue in force does not offer `action` of this DAG."""
    if not _is_in_force(dag):
        raise Refused(f"{dag.dag_id} is no longer in the catalogue.", reason="not_offered")
    if action not in dag.actions:
        raise Refused(
            f"The catalogue does not allow anybody to {VERBS[action]} {dag.dag_id} in Gatehouse.",
            reason="not_offered",
        )


def may_act_at_once(by: User, dag: Dag) -> bool:
    return people.is_one_of(by, dag.who)


def check_can_change_run(by: User, run: Run, action: str, policies: Policies | None = None, *, state: str = "") -> None:
    """Raises Refused if `by` may not do `action` ("retry", "cancel") with a run.

    Allowed are the people in `who`, and the person who requested the run while the DAG's policy names them; an
    approval of one run does not cover a repetition after its success, and a revoked permit no repetition at all.
    state: of the run in Airflow, if the caller has just read it; else the stored one counts.
    Reasons: `not_offered`, `not_eligible`, `needs_approval`.
    """
    dag = current(run.dag)
    check_offered(dag, action)
    if people.is_one_of(by, dag.who):
        return
    if by.pk == run.requested_by_id and people.is_one_of(by, _may_ask(dag, policies)):
        if action == "retry" and (state or run.status) == Run.Status.SUCCESS:
            raise Refused(
                f"{run.ref} has succeeded. Running its tasks again needs an approval: ask for another run.",
                reason="needs_approval",
            )
        if action == "retry" and (why := permit_revoked(run)):
            raise Refused(f"{why} Ask for another run.", reason="needs_approval")
        return
    at_once = ", ".join(subject.replace(":", " ") for subject in dag.who) or "nobody"
    raise Refused(f"You may not {VERBS[action]} {dag.dag_id}. Allowed: {at_once}.", reason="not_eligible")


def why_not_change_any_more(username: str, run: Run, action: str, *, state: str) -> str:
    """In words, why the person may no longer retry or cancel the run; empty if they still may.

    Everybody can read the answer.
    """
    by = User.objects.filter(username=username, is_active=True).first()
    if by is None:
        return f"{username}, who asked for it, is deactivated."
    try:
        check_can_change_run(by, run, action, state=state)
    except Refused as refusal:
        if refusal.reason in ("not_offered", "needs_approval"):
            return refusal.detail
        return f"{username}, who asked for it, may no longer {VERBS[action]} {run.dag.dag_id}."
    return ""


def permit_revoked(run: Run) -> str:
    """In words, that the permit of the run was revoked; empty if it has none, or if that may still be used for it.

    A permit that has expired or is used up still covers the runs that were requested with it. Reads the permit now.
    """
    permit = Permit.objects.filter(runs=run, status=Permit.Status.REVOKED).select_related("ended_by").first()
    if permit is None:
        return ""
    by = permit.ended_by.username if permit.ended_by else "an admin"
    because = f": {permit.end_comment}" if permit.end_comment else ""
    return f"{permit.ref}, which allowed this run, was revoked by {by}{because}."


def current(dag: Dag) -> Dag:
    """The DAG in the catalogue in force. A DAG of a renamed deployment is found under the new name."""
    named = Dag.objects.filter(deployment=airflows.current(dag.deployment), dag_id=dag.dag_id)
    return named.select_related("deployment", "state").first() or dag


def in_force(dag: Dag) -> Dag | None:
    """The DAG in the catalogue in force, under the present name of its deployment; None if it was removed."""
    found = dag if _is_in_force(dag) else current(dag)
    return found if _is_in_force(found) else None


def _is_in_force(dag: Dag) -> bool:
    return dag.retired_at is None and dag.deployment.retired_at is None


def why_not_any_more(username: str, dag: Dag, action: str, *, approved: bool = False) -> str:
    """In words, why the person may no longer do what they requested earlier; empty if they still may.

    Everybody can read the answer. A DAG of a renamed deployment is checked under the new name.
    approved: approvers decided it, so it is enough that the DAG's policy names the person.
    """
    by = User.objects.filter(username=username, is_active=True).first()
    if by is None:
        return f"{username}, who asked for it, is deactivated."
    try:
        if approved:
            check_can_ask(by, current(dag))
        else:
            check_can_operate(by, current(dag), action)
    except Refused as refusal:
        if refusal.reason == "not_offered":
            return refusal.detail
        without = "" if approved else " without an approval"
        return f"{username}, who asked for it, may no longer {VERBS[action]} {dag.dag_id}{without}."
    return ""


def _may_ask(dag: Dag, policies: Policies | None) -> list[str]:
    if not dag.policy:
        return []
    known = policies if policies is not None else catalogue.policies_in_force()
    policy = known.get(dag.policy)  # another version may be put in force between the two queries
    return policy.may_request if policy else []
