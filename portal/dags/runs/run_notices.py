"""Notices that a run has ended, for the people who asked for one.

A row of RunNotice is a person's own preference, like a grant's end that was marked as read: it is not an event.
"""

from __future__ import annotations

from accounts.acting import acting
from accounts.credentials import sees_everybody
from accounts.models import User
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.core import clock, refs
from portal.core.errors import Conflict
from portal.dags import queries
from portal.dags.models import Run, RunNotice
from portal.dags.permissions import may_see

SHOWN = 3


def ask(*, by: User, run_id: int) -> RunNotice:
    """Store that this person wants a notice when the run has ended. Asking twice is asking once.

    Raises Missing for a run that they may not see, Conflict if it has ended.
    """
    with acting(by, refusal=Verb.PAGE_REFUSED, target=refs.ref(refs.RUN, run_id)) as (_, by):
        run = queries.run_for(by, run_id)
        if run.is_final:
            raise Conflict(f"{run.ref} has already ended ({run.get_status_display()}).", reason="wrong_state")
        return _store(run, by)


def ask_for_requester(run: Run) -> RunNotice:
    """The same for the person who requested the run. Inside the caller's transaction."""
    return _store(run, run.requested_by)


def mark_read(*, by: User, run_id: int) -> None:
    """Store that this person has read the notice, or does not want it any more. Without a notice, nothing is done.

    Raises Missing for a run that they may not see and have no notice of.
    """
    with acting(by, refusal=Verb.PAGE_REFUSED, target=refs.ref(refs.RUN, run_id)) as (_, by):
        mine = RunNotice.objects.filter(run=run_id, person=by)
        if not mine.filter(read_at=None).update(read_at=clock.now()) and not mine.exists():
            queries.run_for(by, run_id)


def is_asked(user: User, run: Run) -> bool:
    """Whether this person gets a notice when the run ends."""
    return RunNotice.objects.filter(run=run, person=user, read_at=None).exists()


def unread(user: User) -> list[Run]:
    """The ended runs of this person's unread notices that they may still see; the last ended first, at most SHOWN."""
    rows = RunNotice.objects.filter(person=user, read_at=None, run__status__in=Run.FINAL)
    runs = [notice.run for notice in rows.select_related("run__dag__deployment").order_by("-run__ended_at", "-pk")]
    return _visible(user, runs)[:SHOWN] if runs else []


def _store(run: Run, person: User) -> RunNotice:
    notice, _ = RunNotice.objects.update_or_create(run=run, person=person, defaults={"read_at": None})
    return notice


def _visible(user: User, runs: list[Run]) -> list[Run]:
    """The runs of `queries.runs_visible_to`, without reading all DAGs."""
    others = [run for run in runs if run.requested_by_id != user.pk]
    if not others or sees_everybody(user):
        return runs
    offered = catalogue.dags_in_force().filter(pk__in={run.dag_id for run in others})
    policies = catalogue.policies_in_force()
    seen = {dag.pk for dag in offered if may_see(user, dag, policies)}
    return [run for run in runs if run.requested_by_id == user.pk or run.dag_id in seen]
