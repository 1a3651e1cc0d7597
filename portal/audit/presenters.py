"""Every event as a sentence for people: who did what; and why it was refused or failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from portal.audit.models import UNREADABLE, AuditEvent
from portal.audit.record import SYSTEM
from portal.audit.verbs import Verb
from portal.core import durations

# {actor}, {target} and the other columns always exist; a key of the event's detail may be missing
SENTENCES: dict[Verb, str] = {
    Verb.SIGNED_IN: "{actor} signed in",
    Verb.SIGN_IN_REFUSED: "Somebody failed to sign in as {target}{said}",
    Verb.SIGNED_OUT: "{actor} signed out",
    Verb.PERSON_ADDED: "{actor} added {target} to Gatehouse",
    Verb.PERSON_CHANGED: "{actor} changed the details of {target}{changed}",
    Verb.PERSON_CHANGE_REFUSED: "{actor} could not change the person {target}{said}",
    Verb.PERSON_DEACTIVATED: "{actor} deactivated {target}{reason}",
    Verb.PERSON_REACTIVATED: "{actor} reactivated {target}{reason}",
    Verb.PASSWORD_CHANGED: "{actor} changed the password of {target}: other sessions and all tokens ended",
    Verb.PASSWORD_CHANGE_REFUSED: "{actor} could not change the password of {target}{said}",
    Verb.GROUPS_CHANGED: "{actor} changed the groups of {target}{before_after}",
    Verb.TOKEN_CREATED: "{actor} made the token {target}{token_named}{scopes}",
    Verb.TOKEN_CREATE_REFUSED: "{actor} was not given a new token{said}",
    Verb.TOKEN_REVOKED: "{actor} revoked the token {target}{token_named}",
    Verb.TOKEN_REVOKE_REFUSED: "{actor} could not revoke {target}{said}",
    Verb.TOKEN_REFUSED: "Somebody used the token {target}{token_named} and was refused{said}",
    Verb.PAGE_REFUSED: "{actor} was refused at {target}{said}",
    Verb.CALL_REFUSED: "{actor} was refused {call}{said}",
    Verb.COMMAND_REFUSED: "{actor} was refused the command {target}{said}",
    Verb.CATALOGUE_APPLIED: "{actor} put {target} in force",
    Verb.CATALOGUE_REFUSED: "{actor} could not put a new catalogue in force{said}",
    Verb.CATALOGUE_DAGS_COVERED: "Globs and tags cover other DAGs on {target}{offered}{moved}{no_longer}",
    Verb.DEPLOYMENT_UP: "Airflow on {target} answers",
    Verb.DEPLOYMENT_DOWN: "Airflow on {target} became unreachable{said}",
    Verb.DEPLOYMENT_LOCKED_OUT: "Airflow on {target} no longer accepts Gatehouse’s account{said}",
    Verb.DEPLOYMENT_BOOTSTRAP_BEGUN: "{actor} began to prepare Airflow on {target} for Gatehouse",
    Verb.DEPLOYMENT_BOOTSTRAPPED: "{actor} prepared Airflow on {target} for Gatehouse{done}",
    Verb.DEPLOYMENT_BOOTSTRAP_FAILED: "{actor} could not prepare Airflow on {target} for Gatehouse{said}{also_done}",
    Verb.REQUEST_SUBMITTED: "{actor} asked for {asked_for}{beneficiary}{duration}{by_break_glass} ({target}){reason}",
    Verb.REQUEST_SUBMIT_REFUSED: "{actor} could not ask for {target}{said}",
    Verb.REQUEST_APPROVED: "{actor} approved {target}{duration}{comment}",
    Verb.REQUEST_APPROVE_REFUSED: "{actor} could not approve {target}{said}",
    Verb.REQUEST_STAGE_DONE: "Step {stage} of {target} has its approvals; step {next_stage} is open",
    Verb.REQUEST_GRANTED_AT_ONCE: "{target} was granted at once, as its policy allows{break_glass}",
    Verb.REQUEST_DENIED: "{actor} denied {target}{comment}",
    Verb.REQUEST_DENY_REFUSED: "{actor} could not deny {target}{said}",
    Verb.REQUEST_RETURNED: "{actor} returned {target} for changes{comment}",
    Verb.REQUEST_RETURN_REFUSED: "{actor} could not return {target} for changes{said}",
    Verb.REQUEST_RESUBMITTED: "{actor} sent {target} again{duration}{ticket}{reason}",
    Verb.REQUEST_RESUBMIT_REFUSED: "{actor} could not send {target} again{said}",
    Verb.REQUEST_COMMENTED: "{actor} commented on {target}{for}{comment}",
    Verb.REQUEST_COMMENT_REFUSED: "{actor} could not comment on {target}{said}",
    Verb.REQUEST_WITHDRAWN: "{actor} withdrew {target}",
    Verb.REQUEST_WITHDRAW_REFUSED: "{actor} could not withdraw {target}{said}",
    Verb.REQUEST_LAPSED: "{target} lapsed: {lapsed_because}",
    Verb.REQUEST_RUN_SCHEDULED: "{target}: the run of {dag} on {deployment} will be started{starts_at}",
    Verb.REQUEST_RUN_BEGUN: "{target}: the run of {dag} on {deployment} was requested in Airflow{as_run}",
    Verb.REQUEST_RUN_START_FAILED: "{target}: the run of {dag} on {deployment} was not started{why}",
    Verb.REQUEST_RUN_CANCELLED: "{actor} cancelled the start of {dag} on {deployment} ({target}){reason}",
    Verb.REQUEST_RUN_CANCEL_REFUSED: "{actor} could not cancel the start of {target}{said}",
    Verb.PERMIT_ISSUED: "{target} lets {holder} run {dag} on {deployment} {runs} times within its bounds",
    Verb.PERMIT_USED: "{actor} used {target} for a run of {dag} on {deployment}{as_run}",
    Verb.PERMIT_USED_UP: "{target} for {dag} on {deployment} is used up",
    Verb.PERMIT_EXPIRED: "{target} for {dag} on {deployment} expired",
    Verb.PERMIT_REVOKED: "{actor} revoked {target} for {dag} on {deployment}{reason}",
    Verb.PERMIT_REVOKE_REFUSED: "{actor} could not revoke {target}{said}",
    Verb.GRANT_SCHEDULED: "{target} is scheduled to give {entitlement}{beneficiary}{starts_at}",
    Verb.GRANT_STARTED: "{target} starts: {entitlement} is being given{beneficiary}",
    Verb.GRANT_ACTIVATED: "{target} is active: Airflow on {deployment} shows {entitlement}{beneficiary}",
    Verb.GRANT_GIVEN_UP: (
        "{target} could not be applied in Airflow on {deployment}; what it may have changed is taken away{why}"
    ),
    Verb.GRANT_FAILED: "{target} could not be applied in Airflow on {deployment}{why}",
    Verb.GRANT_RETRIED: "{actor} had {target} retried",
    Verb.GRANT_RETRY_REFUSED: "{actor} could not have {target} retried{said}",
    Verb.GRANT_EXPIRED: "{target} expired: {entitlement} is being taken away{from_beneficiary}",
    Verb.GRANT_REVOKED: "{actor} revoked {target}, {entitlement}{beneficiary}{reason}",
    Verb.GRANT_REVOKE_REFUSED: "{actor} could not end {target}{said}",
    Verb.GRANT_HANDED_BACK: "{actor} handed {target} back, {entitlement}",
    Verb.GRANT_LEAVER: "{target} ends because its holder left: {entitlement}{beneficiary}{reason}",
    Verb.GRANT_NOT_ELIGIBLE: "{target} ends, its holder may no longer have it: {entitlement}{beneficiary}{reason}",
    Verb.GRANT_ENDED: "{target} has ended, {entitlement}{beneficiary}: {role_now}",
    Verb.GRANT_END_FAILED: "{target} is over but still in Airflow on {deployment}; Gatehouse keeps trying{why}",
    Verb.GRANT_MISSING: "Airflow on {deployment} lacks {entitlement}{beneficiary} ({target}); it is given again",
    Verb.GRANT_GIVEN_AGAIN: "{target} was given again in Airflow on {deployment}: {entitlement}{beneficiary}",
    Verb.GRANT_FOUND_AGAIN: "Airflow on {deployment} shows {entitlement}{beneficiary} again ({target})",
    Verb.GRANT_LEFT_TO_ADMINS: (
        "{target} needs an admin: {entitlement}{beneficiary} is missing in Airflow on {deployment}{why}"
    ),
    Verb.GRANT_UNUSABLE: (
        "The account {airflow_user} in Airflow on {deployment} is deactivated: {target} cannot be used{beneficiary}"
    ),
    Verb.GRANT_USABLE: "The account {airflow_user} in Airflow on {deployment} is active again ({target})",
    Verb.GRANT_CAME_BACK: (
        "{target} has ended, but {entitlement} is back in Airflow on {deployment}{beneficiary}; it is taken away again"
    ),
    Verb.GRANT_TAKEN_AGAIN: (
        "{target} has ended: {entitlement}, which came back in Airflow on {deployment}, was taken away again"
    ),
    Verb.GRANT_CAME_BACK_LATE: (
        "{target} has ended, but Airflow on {deployment} shows {entitlement}{beneficiary} again; an admin must decide"
    ),
    Verb.GRANT_GONE_AGAIN: (
        "Airflow on {deployment} no longer shows {entitlement}{beneficiary}, which had come back after {target} ended"
    ),
    Verb.ROLES_CHANGED: "Gatehouse changed the roles of {target} in Airflow on {deployment}{roles_before_after}",
    Verb.ROLES_CONFIRMED: "Gatehouse found the roles of {target} in Airflow on {deployment} as they should be",
    Verb.ACCOUNT_MATCHED: "{target} was found in Airflow on {deployment} as {airflow_user}",
    Verb.ACCOUNT_RENAMED: "The Airflow account of {target} on {deployment} is now called {airflow_user}; it was {was}",
    Verb.ACCOUNT_CREATED: "An Airflow account {airflow_user} was created on {deployment} for {target}",
    Verb.RUN_REQUESTED: "{actor} asked for a run of {dag} on {deployment} ({target}){as_approved}{note}",
    Verb.RUN_REQUEST_REFUSED: "{actor} could not run {target}{said}",
    Verb.RUN_STARTED: "Airflow on {deployment} accepted the run of {dag} ({target})",
    Verb.RUN_START_FAILED: "The run of {dag} on {deployment} could not be started ({target}){why}",
    Verb.RUN_FINISHED: "The run of {dag} on {deployment} ended ({target}){state}{remark}",
    Verb.RUN_CHANGED: "The run of {dag} on {deployment} was changed in Airflow ({target}){was}{now}{remark}",
    Verb.RUN_DELETED: "The run of {dag} on {deployment} was deleted in Airflow ({target})",
    Verb.RUN_CANCEL_REQUESTED: "{actor} asked to cancel the run of {dag} on {deployment} ({target}){reason}",
    Verb.RUN_CANCEL_REFUSED: "{actor} could not cancel {target}{said}",
    Verb.RUN_CANCELLED: "The run of {dag} on {deployment} is cancelled ({target}): Airflow confirms it{asked_by}",
    Verb.RUN_CANCEL_FAILED: "The run of {dag} on {deployment} could not be cancelled ({target}){why}",
    Verb.RUN_CANCEL_LEFT_OUT: "Cancelling {target} was skipped ({operation}): {later} is newer",
    Verb.RUN_RETRY_REQUESTED: "{actor} asked to retry {tasks} of the run of {dag} on {deployment} ({target}){reason}",
    Verb.RUN_RETRY_REFUSED: "{actor} could not retry {target}{said}",
    Verb.RUN_RETRIED: "The run of {dag} on {deployment} goes on ({target}): Airflow confirms the retry{asked_by}",
    Verb.RUN_RETRY_FAILED: "The run of {dag} on {deployment} could not be retried ({target}){why}",
    Verb.RUN_RETRY_LEFT_OUT: "A retry of {target} was skipped ({operation}): {later} is newer",
    Verb.DAG_PAUSE_REQUESTED: "{actor} asked to pause {target}{reason}",
    Verb.DAG_UNPAUSE_REQUESTED: "{actor} asked to unpause {target}{reason}",
    Verb.DAG_PAUSE_REFUSED: "{actor} could not pause {target}{said}",
    Verb.DAG_UNPAUSE_REFUSED: "{actor} could not unpause {target}{said}",
    Verb.DAG_PAUSED: "{target} is paused: Airflow confirms it{asked_by}",
    Verb.DAG_UNPAUSED: "{target} is no longer paused: Airflow confirms it{asked_by}",
    Verb.DAG_PAUSE_FAILED: "{target} could not be paused in Airflow{why}",
    Verb.DAG_UNPAUSE_FAILED: "{target} could not be unpaused in Airflow{why}",
    Verb.DAG_SWITCH_LEFT_OUT: "A pause or unpause of {target} was skipped ({operation}): {later} is newer",
    Verb.VARIABLE_CHANGE_REQUESTED: "{actor} asked to change the variable {variable}{as_approved}{reason}",
    Verb.VARIABLE_CHANGE_REFUSED: "{actor} could not change the variable {variable}{said}",
    Verb.VARIABLE_CHANGED: "The variable {variable} is changed: Airflow confirms it{asked_by}",
    Verb.VARIABLE_CHANGE_FAILED: "The variable {variable} could not be changed in Airflow{why}",
    Verb.VARIABLE_CHANGE_LEFT_OUT: "A change of {variable} was skipped ({operation}): {later} is newer",
    Verb.AUDIT_FORMAT_CHANGED: "{actor} converted {events} events of the trail to another format{carried}",
    Verb.AUDIT_EXPORTED: "{actor} exported {rows} events of the trail as {format}{filter}",
    Verb.AUDIT_VERIFIED: "{actor} verified the trail: {events} events, no change found",
    Verb.AUDIT_VERIFY_FAILED: "{actor} verified the trail and found changes: {first_problem}",
}

# how a key of the detail is written, with the text that joins it to the sentence; nothing if the key is missing
CLAUSES: dict[str, tuple[str, str]] = {
    "said": ("said", ": {}"),
    "why": ("why", ": {}"),
    "reason": ("reason", ": “{}”"),
    "comment": ("comment", ": “{}”"),
    "for": ("for", " (read by: {})"),
    "ticket": ("ticket", ", ticket {}"),
    "note": ("note", ": “{}”"),
    "beneficiary": ("beneficiary", " for {}"),
    "from_beneficiary": ("beneficiary", " from {}"),
    "as_run": ("run", ": {}"),
    "as_approved": ("request", ", approved as {}"),
    "asked_by": ("requested_by", ", as {} asked"),
    "changed": ("changed", ": {}"),
    "scopes": ("scopes", " for {}"),
    "token_named": ("name", " “{}”"),
    "starts_at": ("starts_at", ": {}"),
    "state": ("state", ": {}"),
    "was": ("was", ": from {}"),
    "now": ("state", " to {}"),
    "remark": ("remark", ". {}"),
    "offered": ("offered", "; offered now: {}"),
    "moved": ("moved", "; offered by another entry: {}"),
    "no_longer": ("no_longer", "; no longer offered: {}"),
    "filter": ("filter", ", filtered by {}"),
    "done": ("done", ": {}"),
    "also_done": ("done", "; done: {}"),
}


class Columns(Protocol):
    """The columns that a sentence uses besides the detail; templates may name further columns."""

    @property
    def verb(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def on_behalf_of(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def deployment(self) -> str: ...


def sentence(event: AuditEvent) -> str:
    """What happened, in one line of plain text. The caller escapes it."""
    return in_words(event, event.detail)


def in_words(event: Columns, said: Mapping[str, Any]) -> str:
    """`sentence`, for an event of which only the columns and the detail exist."""
    try:
        template = SENTENCES[Verb(event.verb)]
    except ValueError:  # written by a later version
        return _bare(event)
    try:
        words = " ".join(template.format_map(_Words(event, said)).split())
    except UNREADABLE:  # not written by Gatehouse
        return _bare(event)
    return f"{words} ({said['repeats']} more times within a minute)" if "repeats" in said else words


def _bare(event: Columns) -> str:
    return f"{event.actor}: {event.verb} {event.target}"


class _Words(dict[str, str]):
    """Resolves a name in a template when it is needed: a clause, a column, or a key of the detail."""

    def __init__(self, event: Columns, said: Mapping[str, Any]) -> None:
        super().__init__()
        self.event, self.said = event, said

    def __missing__(self, name: str) -> str:
        if name in SPECIAL:
            return SPECIAL[name](self.event, self.said)
        if name in CLAUSES:
            key, joined = CLAUSES[name]
            value = _plain(self.said.get(key))
            return joined.format(value) if value and not (key == "beneficiary" and value == self.event.actor) else ""
        if name in self.said:
            return _plain(self.said[name]) or "nothing"
        return str(getattr(self.event, name, "")) or "something"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return "" if value is None else str(value)


def _actor(event: Columns, said: Mapping[str, Any]) -> str:
    name = "Gatehouse" if event.actor == SYSTEM else event.actor
    return f"{name} for {event.on_behalf_of}" if event.on_behalf_of else name


def _duration(event: Columns, said: Mapping[str, Any]) -> str:
    try:
        return f" for {durations.words(durations.parse(str(said.get('duration', ''))))}"
    except ValueError:
        return ""


def _asked_for(event: Columns, said: Mapping[str, Any]) -> str:
    """The access, the variable with its new value, or the run with its parameters."""
    if "variable" in said:
        return f"the variable {_variable_words(said['variable'])} to be {_plain(said.get('value')) or 'an empty text'}"
    if "dag" not in said:
        return _plain(said.get("entitlement")) or "something"
    if "bounds" in said:
        return f"a permit for {said.get('runs')} runs of {said['dag']} within {_plain(said['bounds'])}"
    later = f", to start {said['start_at']}" if said.get("start_at") else ""
    return f"a run of {said['dag']} with {_plain(said.get('conf')) or 'unknown parameters'}{later}"


def _break_glass(event: Columns, said: Mapping[str, Any]) -> str:
    return ": break-glass" if said.get("break_glass") else ""


def _by_break_glass(event: Columns, said: Mapping[str, Any]) -> str:
    return " by break-glass" if said.get("break_glass") else ""


def _before_after(event: Columns, said: Mapping[str, Any]) -> str:
    if "before" not in said or "after" not in said:
        return ""
    return f": from {_plain(said['before']) or 'none'} to {_plain(said['after']) or 'none'}"


def _roles_before_after(event: Columns, said: Mapping[str, Any]) -> str:
    before, after = ({*said.get(when, {}).get("roles", [])} for when in ("before", "after"))
    gained, lost = ", ".join(sorted(after - before)), ", ".join(sorted(before - after))
    changes = [part for part in (gained and f"gave {gained}", lost and f"took {lost} away") if part]
    return f": {' and '.join(changes)}" if changes else ""


def _variable(event: Columns, said: Mapping[str, Any]) -> str:
    """`demo/variable/report_mode` in words."""
    return _variable_words(event.target)


def _variable_words(name: Any) -> str:
    deployment, _, key = str(name).partition("/variable/")
    return f"{key} on {deployment}" if key else str(name)


def _lapsed_because(event: Columns, said: Mapping[str, Any]) -> str:
    """Events of early releases have no reason: at that time a request lapsed only because nobody decided it."""
    return _plain(said.get("why")) or "it was not decided in time"


def _role_now(event: Columns, said: Mapping[str, Any]) -> str:
    where = event.deployment
    if said.get("given") is False:
        return f"nothing had been given in Airflow on {where}"
    kept_for = _plain(said.get("kept_for"))
    return f"Airflow on {where} {f'keeps the role for {kept_for}' if kept_for else 'no longer shows the role'}"


def _first_problem(event: Columns, said: Mapping[str, Any]) -> str:
    problems = said.get("problems")
    return str(problems[0]) if problems else f"the first wrong event is {said.get('first_bad', 'not known')}"


def _carried(event: Columns, said: Mapping[str, Any]) -> str:
    if said.get("verified") is True:
        return ", verified"
    return f", and found changes: {_first_problem(event, said)}" if said.get("problems") else ""


SPECIAL = {
    "asked_for": _asked_for,
    "carried": _carried,
    "first_problem": _first_problem,
    "lapsed_because": _lapsed_because,
    "role_now": _role_now,
    "actor": _actor,
    "variable": _variable,
    "duration": _duration,
    "break_glass": _break_glass,
    "by_break_glass": _by_break_glass,
    "before_after": _before_after,
    "roles_before_after": _roles_before_after,
}
