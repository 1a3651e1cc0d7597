"""Pausing and unpausing DAGs, and unpausing at the end of a pause that was limited in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from accounts.acting import acting
from accounts.models import User
from portal.audit.record import Actor, Trail, recording
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag
from portal.core import clock, due, durations, refs
from portal.core.errors import Invalid, Wrong
from portal.core.text_checks import clean_text
from portal.dags import limits
from portal.dags.models import DagState
from portal.dags.operation_names import PAUSE_DAG, SWITCHES, UNPAUSE_DAG
from portal.dags.permissions import check_can_operate
from portal.operations import outbox, queries
from portal.operations.models import Operation

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=90)


def pause(*, by: User, dag: Dag, reason: str, until: datetime | None = None) -> Operation:
    """Request that `dag` is paused: no new runs start.

    until: when Gatehouse unpauses it; None: never. Who pauses or unpauses it before that, also in Airflow, ends this.
    Raises Refused (`not_offered`, `needs_approval`, `not_eligible`, `read_only`), Invalid (`reason`, `until`).
    """
    with acting(by, refusal=Verb.DAG_PAUSE_REFUSED, target=str(dag)) as (trail, by):
        wrong = Wrong()
        with wrong.collecting():
            reason = clean_text("reason", reason, required="Say why you pause it. Other users read this.")
        with wrong.collecting():
            _check_end(until)
        wrong.check()
        return _switch(PAUSE_DAG, Verb.DAG_PAUSE_REQUESTED, by, dag, reason, trail, until=until)


def unpause(*, by: User, dag: Dag, reason: str = "") -> Operation:
    """Request that `dag` is unpaused: new and queued runs can start. Raises Refused, as `pause`."""
    with acting(by, refusal=Verb.DAG_UNPAUSE_REFUSED, target=str(dag)) as (trail, by):
        reason = clean_text("reason", reason)
        return _switch(UNPAUSE_DAG, Verb.DAG_UNPAUSE_REQUESTED, by, dag, reason, trail)


def _check_end(until: datetime | None) -> None:
    if until is None:
        return
    ahead = until - clock.now()
    if ahead < SHORTEST:
        raise Invalid({"until": "The end of the pause must be in the future. Leave it empty to pause without an end."})
    if ahead > LONGEST:
        raise Invalid({"until": f"A pause ends within {durations.words(LONGEST)}. Choose an earlier end, or none."})


def _switch(
    kind: str, verb: Verb, by: User, dag: Dag, reason: str, trail: Trail, *, until: datetime | None = None
) -> Operation:
    dag = _locked(dag.pk)
    check_can_operate(by, dag, "pause")
    limits.check_writable(dag.deployment)
    ends = {"until": until.astimezone(UTC).isoformat()} if until else {}
    return _put(kind, verb, by, dag, {"reason": reason, **ends}, trail)


def _put(kind: str, verb: Verb, by: Actor | None, dag: Dag, detail: dict[str, str], trail: Trail) -> Operation:
    operation = outbox.put(
        kind, deployment=dag.deployment, subject=str(dag), payload={"dag": dag.pk, **detail}, by=by, about=dag
    )
    about = [operation.ref, refs.deployment(dag.deployment.name)]
    trail.add(verb, by=by, target=str(dag), about=about, detail=detail)
    return operation


def _locked(dag_id: int) -> Dag:
    """The DAG as it is in the catalogue now. Its row is locked, so that a limited pause does not end meanwhile."""
    Dag.objects.select_for_update().get(pk=dag_id)
    return Dag.objects.select_related("deployment").get(pk=dag_id)


def end_due() -> int:
    """Unpause the DAGs whose limited pause is over. Returns their number."""
    rows = DagState.objects.filter(paused=True, unpause_at__lte=clock.now())
    return due.each([state.dag_id for state in rows.order_by("unpause_at", "pk")[:200]], _end)


def _end(dag_id: int) -> None:
    """A pause or unpause that is on its way is newer than the limited pause: it decides."""
    with recording() as trail:
        dag = _locked(dag_id)
        state = DagState.objects.select_related("switch").get(dag=dag)
        if not state.paused or state.unpause_at is None or state.unpause_at > clock.now() or state.switch is None:
            return
        if queries.of_subject(str(dag)).filter(kind__in=SWITCHES, status__in=queries.OPEN).exists():
            return
        DagState.objects.filter(pk=state.pk).update(unpause_at=None)
        reason = f"The pause by {state.switch.requested_by} was limited to this time."
        _put(UNPAUSE_DAG, Verb.DAG_UNPAUSE_REQUESTED, None, dag, {"reason": reason, "ends": state.switch.ref}, trail)
