"""Asking for a run of a DAG, with exactly these parameters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from accounts.acting import acting
from accounts.models import User
from portal.approvals import checks, opening, principals
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Dag, Entitlement
from portal.core import clock, once
from portal.core.errors import Refused, Wrong
from portal.core.secrecy import Path
from portal.core.text_checks import clean_text
from portal.dags.models import RunRequest
from portal.dags.parameters import frozen, secrets
from portal.dags.permissions import check_can_ask, may_act_at_once
from portal.dags.requests.run_kind import RUN, check_not_asked, without_decision
from portal.dags.runs import starting


def ask(
    *,
    by: User,
    dag: Dag,
    conf: Mapping[str, Any],
    reason: str = "",
    ticket: str = "",
    start_at: datetime | None = None,
    note: str = "",
    key: str | None = None,
    entered_secrets: Collection[Path] = (),
) -> RunRequest:
    """Ask for a run with these parameters, which are frozen now. Approvers decide, as the DAG's policy says. The run
    starts after the last approval, or at `start_at`.

    Who may run the DAG without an approval can use this for a later start; then no reason is needed. A policy without
    steps approves at once.
    key: of the form that was sent. If the same person sends the same key and content again, the existing request is
    returned, with `sent_again`. entered_secrets: as for `actions.trigger`.
    Raises Refused (`not_eligible`, `not_offered`, `no_approver`), Conflict (`already_open`: the same parameters were
    already asked for), Invalid (`conf`, `reason`, `ticket`, `start_at`, `note`).
    """
    start_at = start_at.astimezone(UTC) if start_at else None  # the form that events use
    with acting(by, refusal=Verb.REQUEST_SUBMIT_REFUSED, target=str(dag)) as (trail, by):
        dag = Dag.objects.select_related("deployment", "state").get(pk=dag.pk)
        check_can_ask(by, dag)
        wrong = Wrong()
        with wrong.collecting():
            values = starting.checked_conf(dag, conf, by)
        with wrong.collecting():
            checked_note = starting.checked_note(note)
        if not wrong:
            key = once.bind(key, dag=dag.pk, conf=values, reason=reason, ticket=ticket, start_at=start_at, note=note)
            if isinstance(sent := opening.sent_before(by, key), RunRequest):
                return sent
        version = catalogue.version_in_force()
        if version is None:
            raise Refused("No catalogue is in force yet. Ask a platform admin.", reason="not_offered")
        asked_under = "" if may_act_at_once(by, dag) else dag.policy
        policy = catalogue.policy(asked_under, version.number) if asked_under else None
        wrong.update(problems(policy, reason, ticket, start_at))
        wrong.check()
        hidden = secrets.hide(dag, values, entered=entered_secrets)
        request = RunRequest(
            kind=RUN.name,
            requester=by,
            beneficiary=by,
            about=str(dag),
            only_one=False,  # several runs with different parameters can be asked for
            deployment=dag.deployment,
            risk=Entitlement.Risk.MEDIUM,
            dag=dag,
            note=hidden.without(checked_note),
            start_at=start_at if start_at and start_at > clock.now() else None,
            policy=asked_under,
            policy_version=version.number,
            **frozen.freeze(hidden).columns(),
        )
        policy = policy or without_decision(request)
        request.reason, request.ticket = hidden.without(clean_text("reason", reason)), clean_text("ticket", ticket)
        request.lapses_at = clock.now() + policy.pending_for
        check_not_asked(request)
        if policy.stages:
            principals.check_enough(policy.stages, without={by.pk})
        request = opening.open_request(request, key=key, stages=policy.stages, trail=trail, **RUN.own_terms(request))
        if not policy.stages and not request.sent_again:
            opening.grant_at_once(request, trail=trail)
    return request


def problems(policy: PolicySpec | None, reason: str, ticket: str, start_at: datetime | None) -> dict[str, str]:
    """The errors of these fields. policy: None for a person who needs no approval, and so no reason."""
    found = checks.start_problem(start_at, field="start_at")
    if policy is None:
        return found
    if policy.break_glass:
        raise Refused("A run cannot be asked for by break-glass.", reason="not_offered")
    return found | checks.text_problems(reason, ticket, policy)
