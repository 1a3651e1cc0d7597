"""The action that runs a DAG, without an approval or within a permit. A worker starts the run in Airflow."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from accounts.acting import acting
from accounts.models import User
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag
from portal.core import once
from portal.core.errors import Wrong
from portal.core.secrecy import Path
from portal.dags import limits, preflight
from portal.dags.models import Run
from portal.dags.parameters import secrets
from portal.dags.permissions import check_can_ask, check_can_operate, may_act_at_once
from portal.dags.permits import permits
from portal.dags.permits.permit_bounds import with_defaults
from portal.dags.runs import starting


def trigger(
    *,
    by: User,
    dag: Dag,
    conf: Mapping[str, Any],
    note: str = "",
    key: str | None = None,
    entered_secrets: Collection[Path] = (),
    confirmed: bool = False,
) -> Run:
    """Request a run with these parameters. Its id in Airflow and its logical date are set here and never change.

    Secrets in `conf` are stored encrypted until the run is started, and are never shown.
    key: of the form that was sent. If the same person sends the same key and content again, the existing run is
    returned, with `sent_again`. The same key with other content is a new run.
    entered_secrets: paths in `conf` that were entered as secrets. They are hidden even if Airflow no longer declares
    them secret.
    confirmed: the person knows that the run would fail or do nothing (portal.dags.preflight), and starts it anyway.
    Who needs an approval can run the DAG within a permit.
    Raises Refused (of `check_can_operate`, `permits.use` and `limits.check`), Invalid (`conf`, `conf.NAME`, `note`,
    `confirm`).
    """
    with acting(by, refusal=Verb.RUN_REQUEST_REFUSED, target=str(dag)) as (trail, by):
        dag = _reread(dag)
        has_permit = not may_act_at_once(by, dag) and bool(permits.by_dag(by).get(dag.pk))
        if has_permit:
            check_can_ask(by, dag)
        else:
            check_can_operate(by, dag, "trigger")
        wrong = Wrong()
        with wrong.collecting():
            note = starting.checked_note(note)
        with wrong.collecting():
            values = starting.checked_conf(dag, conf, by)
        wrong.check()
        key = once.bind(key, dag=dag.pk, conf=values, note=note)
        if run := starting.sent_before(by, key):
            return run
        preflight.check_confirmed(getattr(dag, "state", None), confirmed=confirmed)
        permit = permits.use(by, dag, values) if has_permit else None
        if permit is not None:
            values = with_defaults(permit.bounds, values, dag)
        hidden = secrets.hide(dag, values, entered=entered_secrets)
        limits.check(by, dag)
        note = hidden.without(note)
        run = starting.create_run(
            dag, hidden, requested_by=by, note=note, trail=trail, actor=by, key=key, permit=permit
        )
        if permit is not None:
            permits.record_use(permit, run_ref=run.ref, trail=trail)
        return run


def _reread(dag: Dag) -> Dag:
    """The DAG as it is in the catalogue now. The caller may have read it earlier."""
    return Dag.objects.select_related("deployment", "state").get(pk=dag.pk)
