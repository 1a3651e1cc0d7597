"""Changing a variable: at once, or by asking for it."""

from __future__ import annotations

from accounts.acting import acting
from accounts.models import User
from portal.approvals import checks, opening, principals
from portal.audit.record import Actor
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Deployment, Entitlement
from portal.core import clock, once
from portal.core.errors import Refused, Wrong
from portal.core.text_checks import clean_text
from portal.dags import limits
from portal.dags.models import VariableRequest
from portal.dags.variables import offered, values
from portal.dags.variables.putting import put
from portal.dags.variables.variable_kind import VARIABLES
from portal.operations import queries
from portal.operations.models import Operation


def change(*, by: Actor, deployment: Deployment, key: str, value: str, reason: str) -> Operation:
    """Request a change of a variable, without an approval. An operator at the command line may change each one.

    value: as Airflow stores it (values.as_text). If the person's change to the same value is on its way, that is
    returned: a double click is one change.
    Raises Refused (`retired`, `secret`, `not_offered`, `needs_approval`, `not_eligible`, `read_only`); Invalid
    (`value`, `reason`).
    """
    with acting(by, refusal=Verb.VARIABLE_CHANGE_REFUSED, target=_subject(deployment, key)) as (trail, by):
        variable = offered.find(_reread(deployment), key)
        if isinstance(by, User):
            offered.check_can_change(by, variable)
        limits.check_writable(variable.deployment)
        wrong = Wrong()
        with wrong.collecting():
            values.check(variable, value)
        with wrong.collecting():
            reason = clean_text("reason", reason, required="Say why you change it. The audit trail keeps this.")
        wrong.check()
        payload = {"key": key, "value": value, "reason": reason, "by_operator": not isinstance(by, User)}
        for operation in queries.open_of(variable.subject):
            asked = payload.items() <= operation.payload.items()  # that of a change being made has `sent`, too
            if asked and operation.requested_by == by.get_username():
                return operation
        return put(variable, payload, by=by, actor=by, trail=trail)


def ask(
    *,
    by: User,
    deployment: Deployment,
    key: str,
    value: str,
    reason: str,
    ticket: str = "",
    form: str | None = None,
) -> VariableRequest:
    """Ask for a change of a variable to exactly this value. Approvers decide, as the variable's policy says.

    form: its key (portal.core.once). If the same person sends the same form again, the first request is returned, with
    `sent_again`. A policy without steps approves at once.
    Raises Refused (`retired`, `secret`, `not_offered`, `not_eligible`, `no_approver`), Conflict (`already_open`),
    Invalid (`value`, `reason`, `ticket`).
    """
    with acting(by, refusal=Verb.REQUEST_SUBMIT_REFUSED, target=_subject(deployment, key)) as (trail, by):
        variable = offered.find(_reread(deployment), key)
        offered.check_can_ask(by, variable)
        form = once.bind(form, variable=variable.subject, value=value, reason=reason, ticket=ticket)
        if isinstance(sent := opening.sent_before(by, form), VariableRequest):
            return sent
        version = catalogue.version_in_force()
        if version is None:
            raise Refused("No catalogue is in force yet. Ask a platform admin.", reason="not_offered")
        policy = catalogue.policy(variable.policy, version.number)
        wrong = Wrong(checks.text_problems(reason, ticket, policy))
        with wrong.collecting():
            values.check(variable, value)
        wrong.check()
        request = VariableRequest(
            kind=VARIABLES.name,
            requester=by,
            beneficiary=by,
            about=variable.subject,
            deployment=variable.deployment,
            risk=Entitlement.Risk.MEDIUM,
            key=key,
            value=value,
            reason=clean_text("reason", reason),
            ticket=clean_text("ticket", ticket),
            policy=variable.policy,
            policy_version=version.number,
            lapses_at=clock.now() + policy.pending_for,
        )
        if policy.stages:
            principals.check_enough(policy.stages, without={by.pk})
        request = opening.open_request(
            request, key=form, stages=policy.stages, trail=trail, **VARIABLES.own_terms(request)
        )
        if not policy.stages and not request.sent_again:
            opening.grant_at_once(request, trail=trail)
    return request


def _subject(deployment: Deployment, key: str) -> str:
    return f"{deployment.name}/variable/{key}"


def _reread(deployment: Deployment) -> Deployment:
    """The deployment as it is in the catalogue now. The caller may have read it earlier."""
    return Deployment.objects.get(pk=deployment.pk)
