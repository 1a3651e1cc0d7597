"""Creating a run, with its operation and its event. Every way to run a DAG ends here: a person's run at once, and the
start of an approved request. The callers check who may run it, and with which parameters."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import User
from portal.approvals.models import Request
from portal.audit.record import Actor, Trail
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag
from portal.core import clock, refs
from portal.core.errors import Invalid
from portal.core.text_checks import clean_text
from portal.dags.models import Permit, Run
from portal.dags.operation_names import TRIGGER_RUN
from portal.dags.parameters import validating
from portal.dags.parameters.secrets import Hidden
from portal.operations import outbox

MAX_NOTE = 500


def checked_conf(dag: Dag, conf: Mapping[str, Any], by: User) -> dict[str, Any]:
    """The parameters of a run by `by`, with those that the catalogue sets. Raises Invalid (`conf`, `conf.NAME`)."""
    return validating.checked(dag, getattr(dag, "state", None), conf, requester=by)


def checked_note(note: str) -> str:
    """The note without surrounding spaces. Raises Invalid (`note`)."""
    note = clean_text("note", note)
    if len(note) > MAX_NOTE:
        raise Invalid({"note": f"The note has {len(note)} characters; at most {MAX_NOTE} are allowed."})
    return note


def sent_before(by: User, key: str | None) -> Run | None:
    """The run that `by` already requested with the form `key`, with `sent_again` set; None if there is none."""
    run = Run.objects.filter(requested_by=by, key=key).first() if key else None
    if run is not None:
        run.sent_again = True
    return run


def create_run(
    dag: Dag,
    hidden: Hidden,
    *,
    requested_by: User,
    note: str,
    trail: Trail,
    actor: Actor | None,
    key: str | None = None,
    request: Request | None = None,
    permit: Permit | None = None,
) -> Run:
    """Create a run inside the caller's transaction. Its id in Airflow and its logical date are set here and never
    change.

    hidden: the checked parameters, as they are stored. actor: of the event; None: the portal itself.
    key: of the form (portal.core.once). If the same form is sent twice at the same moment, both calls return the first
    run, the second one with `sent_again` set. request: the approved request that the run belongs to.
    permit: the permit that allows it.
    """
    token = uuid.uuid4()  # of the operation; it is part of the run's id, so a retry finds the run
    try:
        with transaction.atomic():
            run = Run.objects.create(
                dag=dag,
                dag_run_id=f"gatehouse__{token}",
                logical_date=clock.now(),
                conf=hidden.shown,
                sealed=hidden.sealed,
                digest=hidden.digest,
                note=note,
                requested_by=requested_by,
                key=key,
                request=request,
                permit=permit,
            )
    except IntegrityError:  # the same form was sent twice at the same moment
        if (sent := sent_before(requested_by, key)) is not None:
            return sent
        raise
    operation = run.operation = outbox.put(
        TRIGGER_RUN,
        deployment=dag.deployment,
        subject=run.ref,
        payload={"run": run.pk},
        by=requested_by,
        token=token,
    )
    run.save(update_fields=["operation"])
    about = [run.ref, operation.ref, refs.dag(str(dag)), refs.deployment(dag.deployment.name)]
    # `conf` as JSON text, because events contain no fractions; not escaped, for people and searches
    detail = {
        "dag": dag.dag_id,
        "dag_run_id": run.dag_run_id,
        "conf": json.dumps(hidden.shown, ensure_ascii=False),
        "note": note,
        "requested_by": requested_by.username,
    }
    if request is not None:
        about.append(request.ref)
        detail["request"] = request.ref
    if permit is not None:
        about.append(permit.ref)
        detail["permit"] = permit.ref
    trail.add(Verb.RUN_REQUESTED, by=actor, target=run.ref, about=about, detail=detail)
    return run
