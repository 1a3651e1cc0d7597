"""Starting the runs of approved requests: after the last approval, or at the approved time.

A start is checked again with the rules in force at that time. If it is refused, or more than LATEST late, the run is
not started, and the request says why. Each start is a conditional update of `start_status`, so every request starts at
most one run, whatever happens to the workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from accounts.acting import acting, locked
from accounts.models import User
from accounts.permissions import Permission
from accounts.roles import has
from portal.approvals import changes, principals
from portal.approvals.ledgers import REQUESTS
from portal.audit import compare
from portal.audit.record import Trail, recording
from portal.audit.verbs import Verb
from portal.core import clock, due, refs, sealing
from portal.core.errors import Conflict, GatehouseError, Invalid, Refused
from portal.core.text_checks import clean_text
from portal.dags import limits
from portal.dags.models import RunRequest
from portal.dags.parameters.frozen import Changed, canonical, thaw
from portal.dags.parameters.secrets import Hidden
from portal.dags.permissions import current, why_not_any_more
from portal.dags.runs import run_notices, starting
from portal.dags.runs.states import START

S = RunRequest.Start
LATEST = timedelta(hours=1)  # after that, a run must not start, because nobody expects it any more
TOO_LATE = "It could not be started within one hour after its start time."


def begin(request: RunRequest, trail: Trail) -> str:
    """Start the run of a request that was approved now, or schedule it. Inside the transaction of the approval.

    Returns the result, for the event of the approval.
    """
    if request.start_at is not None and request.start_at > clock.now():
        START.move(request, to=S.SCHEDULED)
        changes.record(trail, Verb.REQUEST_RUN_SCHEDULED, None, request, starts_at=request.start_at.isoformat())
        return "scheduled"
    return _start(request, trail)


def start_due() -> int:
    """Start the scheduled runs whose time has come. Returns their number."""
    rows = RunRequest.objects.filter(start_status=S.SCHEDULED, start_at__lte=clock.now())
    return due.each(rows.order_by("start_at", "pk").values_list("pk", flat=True)[:200], _start_scheduled)


def _start_scheduled(request_id: int) -> None:
    """Raises Conflict if it was started or cancelled meanwhile."""
    requester = RunRequest.objects.values_list("requester", flat=True).get(pk=request_id)
    with recording() as trail:
        locked(requester)  # before the request, as every action of a person locks them
        request: RunRequest = changes.locked(request_id)
        if request.start_status != S.SCHEDULED:
            raise Conflict(f"The start of {request.ref} is {request.get_start_status_display()}.")
        _start(request, trail)


def _start(request: RunRequest, trail: Trail) -> str:
    now = clock.now()
    try:
        hidden = check_start(request)
    except (GatehouseError, NotStarted) as refusal:
        why = refusal.detail if isinstance(refusal, GatehouseError) else str(refusal)
        START.move(request, to=S.NOT_STARTED, start_problem=why, start_settled_at=now, sealed="")
        changes.record_failed(trail, Verb.REQUEST_RUN_START_FAILED, request, why=why)
        return "not started"
    START.move(request, to=S.STARTED, start_settled_at=now, sealed="")
    run = starting.create_run(
        current(request.dag),
        hidden,
        requested_by=request.requester,
        note=request.note,
        trail=trail,
        actor=None,
        request=request,
    )
    run_notices.ask_for_requester(run)
    changes.record(trail, Verb.REQUEST_RUN_BEGUN, None, request, run=run.ref)["about"].append(run.ref)
    return run.ref


class NotStarted(Exception):
    """Why a run must not be started. `str()` says so in words."""


def check_start(request: RunRequest) -> Hidden:
    """Check an approved request with the rules in force now. Returns the frozen parameters, as a run stores them.

    Raises NotStarted, Refused (a limit) and Invalid (the DAG no longer accepts the parameters).
    """
    if request.start_at is not None and request.start_at < clock.now() - LATEST:
        raise NotStarted(TOO_LATE)
    if why := why_not_any_more(request.requester.username, request.dag, "trigger", approved=bool(request.policy)):
        raise NotStarted(why)
    if request.start_status == S.SCHEDULED and (found := compare.problem_of(REQUESTS, request.pk)):
        raise NotStarted(f"The stored request is not as its events made it. {found}")
    try:
        conf, hidden = thaw(request)
    except Changed as changed:
        raise NotStarted(str(changed)) from None
    except sealing.Unreadable:
        raise NotStarted(
            "Its secret parameters were encrypted with another GATEHOUSE_SECRET_KEY and cannot be read. Ask again."
        ) from None
    check_accepted(request, conf)
    limits.check(request.requester, current(request.dag))
    return hidden


def check_accepted(request: RunRequest, conf: Mapping[str, Any]) -> None:
    """Check that the DAG accepts the frozen parameters as it is now. Raises Invalid (`conf`)."""
    try:
        values = starting.checked_conf(current(request.dag), conf, request.requester)
    except Invalid as error:
        raise Invalid({"conf": f"The DAG no longer accepts the parameters. {error.detail}"}) from None
    if canonical(values) != canonical(conf):
        raise Invalid({"conf": "The parameters that the catalogue sets have changed, so the run would be another one."})


def cancel(*, request_id: int, by: User, reason: str = "") -> RunRequest:
    """Cancel a scheduled start. For the requester, and for the approvers of the request with a reason.

    Raises Refused (`not_yours`), Invalid (`reason`), Conflict if it is not scheduled.
    """
    target = refs.ref(refs.REQUEST, request_id)
    with acting(by, refusal=Verb.REQUEST_RUN_CANCEL_REFUSED, target=target) as (trail, by):
        request = changes.locked(request_id)
        if not isinstance(request, RunRequest):
            raise Conflict(f"{request.ref} does not ask for a run, so it has no start to cancel.", reason="wrong_state")
        check_can_cancel(by, request)
        if request.start_status != S.SCHEDULED:
            said = request.get_start_status_display() if request.closed_at else "not approved yet; withdraw the request"
            raise Conflict(
                f"The run of {request.ref} is {said}, so its start cannot be cancelled.", reason="wrong_state"
            )
        required = "" if by.pk == request.requester_id else "Say why you cancel it. The requester reads this."
        reason = clean_text("reason", reason, required=required)
        settled: dict[str, Any] = {
            "start_cancelled_by": by,
            "start_problem": reason,
            "start_settled_at": clock.now(),
            "sealed": "",
        }
        START.move(request, to=S.CANCELLED, **settled)
        changes.record(trail, Verb.REQUEST_RUN_CANCELLED, by, request, reason=reason)
    return request


def check_can_cancel(by: User, request: RunRequest) -> None:
    """Raises Refused (`not_yours`)."""
    is_approver = principals.is_named_in(by, request) and has(by, Permission.DECIDE)
    if by.pk != request.requester_id and not is_approver:
        raise Refused("Only the requester or an approver of the request can cancel its start.", reason="not_yours")
