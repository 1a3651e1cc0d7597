"""Queries of DAGs and runs, for what a person may see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import OuterRef, Q, QuerySet, Subquery

from accounts.credentials import sees_everybody
from accounts.models import User
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Dag
from portal.core import clock, refs
from portal.core.errors import Missing, Refused
from portal.core.text import contains_words, search_words
from portal.dags.models import DagState, Permit, Run, RunRequest
from portal.dags.operation_names import PAUSE_DAG, SWITCHES
from portal.dags.permissions import Policies, check_can_operate, may_see
from portal.dags.permits import permits
from portal.operations import queries as operations
from portal.operations.models import Operation

TOLD_FOR = timedelta(days=3)  # how long the home page says that a run was not started


@dataclass(frozen=True)
class DagOption:
    """A DAG for one person. actions: what they may do without an approval. why_not: why they may not run it."""

    dag: Dag
    state: DagState | None
    actions: tuple[str, ...]
    may_run: bool
    why_not: str = ""
    reason: str = ""  # the stable word for `why_not`
    permits: tuple[Permit, ...] = ()  # with which they may run it, if they may not otherwise

    @property
    def must_ask(self) -> bool:
        """Whether the person may run it, but only with an approval."""
        return self.reason == "needs_approval"


def operable_by(user: User, *, q: str = "", deployment: str = "") -> list[DagOption]:
    """The DAGs that `user` may operate, with or without an approval, by deployment and name. Raises Invalid (`q`)."""
    rows = catalogue.dags_in_force().select_related("deployment", "state__switch")
    if deployment:
        rows = rows.filter(deployment__name=deployment)
    words, policies = search_words(q), catalogue.policies_in_force()
    allowing = permits.by_dag(user)
    return [
        option_of(user, dag, policies, allowing)
        for dag in rows
        if contains_words(_searched(dag), words) and may_see(user, dag, policies)
    ]


def _searched(dag: Dag) -> str:
    state = getattr(dag, "state", None)
    return f"{dag.dag_id}\n{dag.deployment.name}\n{state.description if state else ''}"


def dag_for(user: User, deployment: str, dag_id: str) -> DagOption:
    """Raises Missing, with the same words for a DAG that is not in the catalogue and one that `user` may not see."""
    rows = catalogue.dags_in_force().select_related("deployment", "state__switch")
    dag = rows.filter(deployment__name=deployment, dag_id=dag_id).first()
    policies = catalogue.policies_in_force()
    if dag is None or not may_see(user, dag, policies):
        raise Missing(f"There is no DAG “{dag_id[:100]}” on “{deployment[:40]}” that you may operate.")
    return option_of(user, dag, policies, permits.by_dag(user))


def option_of(user: User, dag: Dag, policies: Policies, allowing: Mapping[int, list[Permit]]) -> DagOption:
    """The DAG for one person. policies: the policies in force. allowing: the person's permits (`permits.by_dag`)."""
    allowed, why_not, reason = [], "", ""
    for action in ("trigger", "pause"):
        try:
            check_can_operate(user, dag, action, policies)
            allowed.append(action)
        except Refused as refusal:
            if action == "trigger":
                why_not, reason = refusal.detail, refusal.reason
    usable = tuple(allowing.get(dag.pk, ())) if reason == "needs_approval" else ()
    if usable:
        allowed, why_not, reason = ["trigger", *allowed], "", ""
    state = getattr(dag, "state", None)
    return DagOption(dag, state, tuple(allowed), "trigger" in allowed, why_not, reason, usable)


def last_started(dags: Iterable[Dag]) -> dict[int, Run]:
    """The last run of each DAG that was requested in the portal, by the DAG's primary key."""
    newest = Run.objects.filter(dag=OuterRef("pk")).order_by("-created_at", "-pk").values("pk")[:1]
    keys = Dag.objects.filter(pk__in=[dag.pk for dag in dags]).annotate(newest=Subquery(newest)).values("newest")
    return {run.dag_id: run for run in Run.objects.filter(pk__in=[row["newest"] for row in keys if row["newest"]])}


def runs_visible_to(user: User) -> QuerySet[Run]:
    """A person's own runs and those of DAGs in `operable_by`; all for people who may see all access. Newest first."""
    rows = Run.objects.select_related("dag__deployment", "dag__state__switch", "operation__deployment", "requested_by")
    if sees_everybody(user):
        return rows
    mine = [option.dag.pk for option in operable_by(user)]
    return rows.filter(Q(requested_by=user) | Q(dag__in=mine))


def run_for(user: User, pk: int) -> Run:
    """Raises Missing, with the same words for a run that does not exist and one that `user` may not see."""
    run = runs_visible_to(user).select_related("tasks").filter(pk=pk).first()
    if run is None:
        raise refs.not_found(refs.RUN, pk)
    return run


def not_started(user: User) -> QuerySet[RunRequest]:
    """The requests of a person whose approved runs were not started in the last days. Latest first."""
    since = clock.now() - TOLD_FOR
    rows = RunRequest.objects.filter(requester=user, start_status=RunRequest.Start.NOT_STARTED)
    return (
        rows.filter(start_settled_at__gt=since).select_related("dag__deployment").order_by("-start_settled_at", "-pk")
    )


def switches_of(dag: Dag) -> QuerySet[Operation]:
    """The operations that pause or unpause a DAG, oldest first."""
    return operations.of_subject(str(dag)).filter(kind__in=SWITCHES)


class Switched(NamedTuple):
    """Who paused or unpaused a DAG, when and why. Empty `by`: it was done in Airflow, and Gatehouse saw it at `at`."""

    by: str
    at: datetime
    reason: str
    until: datetime | None = None  # when Gatehouse unpauses it


def switched(state: DagState | None) -> Switched | None:
    """None if Gatehouse knows of no change since it first read the DAG."""
    if state is None or state.switched_at is None:
        return None
    operation = state.switch
    if operation is None:
        return Switched("", state.switched_at, "")
    wanted = operation.kind == PAUSE_DAG
    if state.paused is not wanted:
        return None
    reason = str(operation.payload.get("reason", ""))
    return Switched(operation.requested_by or "Gatehouse", state.switched_at, reason, state.unpause_at)
