"""The note of a run in Airflow: who requested it, and who retried or cancelled it, each with the reason."""

from __future__ import annotations

from portal.core import refs
from portal.core.secrecy import HIDDEN, holds_secret
from portal.dags.models import Run
from portal.dags.operation_names import CANCEL_RUN, RUN_CHANGES
from portal.operations import queries as operations
from portal.operations.models import Operation

LONGEST = 1000  # characters; the column in Airflow's database
LEFT_OUT = "…"


def of_request(run: Run) -> str:
    """The note with which the run is started: who requested it, by which request, and why."""
    who = f"Requested by {run.requested_by.username} through Gatehouse, {run.ref}"
    texts = [run.note]
    if run.request is not None:
        who += f", {run.request.ref} (SHA-256 of the parameters: {run.request.runrequest.conf_sha256})"
        texts.insert(0, run.request.reason)
    if run.permit_id is not None:
        who += f", with {refs.ref(refs.PERMIT, run.permit_id)}"
    said = "; ".join(text for text in texts if text)
    return f"{who}: {said}"[:LONGEST] if said else f"{who}."


def with_change(run: Run, change: Operation) -> str:
    """The note after `change`. If it becomes too long, the oldest changes are left out."""
    done = operations.of_subject(run.ref).filter(kind__in=RUN_CHANGES, status=Operation.Status.SUCCEEDED)
    first, *changes = [of_request(run), *map(_said, done.exclude(pk=change.pk)), _said(change)]
    left_out = False
    while changes and len(_joined(first, changes, left_out)) > LONGEST and len(changes) > 1:
        changes.pop(0)
        left_out = True
    whole = _joined(first, changes, left_out)
    return whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 1]}{LEFT_OUT}"


def _joined(first: str, changes: list[str], left_out: bool) -> str:
    begun = first if first.endswith((".", "!", "?")) else f"{first}."
    return " ".join([begun, *([LEFT_OUT] if left_out else []), *changes])


def _said(change: Operation) -> str:
    verb = "Cancelled" if change.kind == CANCEL_RUN else "Retried"
    reason = str(change.payload.get("reason", ""))
    reason = HIDDEN if holds_secret(reason) else reason
    return f"{verb} by {change.requested_by}: {reason}." if reason else f"{verb} by {change.requested_by}."
