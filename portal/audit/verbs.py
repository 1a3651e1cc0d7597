"""Every kind of event: `noun.past_tense`, also for refusals and failures.

`presenters.SENTENCES` has a sentence for each; a test checks that none is missing.
"""

from __future__ import annotations

from enum import StrEnum


class Verb(StrEnum):
    SIGNED_IN = "session.opened"
    SIGN_IN_REFUSED = "session.open_refused"
    SIGNED_OUT = "session.closed"
    PERSON_ADDED = "person.added"
    PERSON_CHANGED = "person.changed"
    PERSON_CHANGE_REFUSED = "person.change_refused"
    PERSON_DEACTIVATED = "person.deactivated"
    PERSON_REACTIVATED = "person.reactivated"
    PASSWORD_CHANGED = "person.password_changed"  # noqa: S105
    PASSWORD_CHANGE_REFUSED = "person.password_change_refused"  # noqa: S105
    GROUPS_CHANGED = "person.groups_changed"
    TOKEN_CREATED = "token.created"  # noqa: S105
    TOKEN_CREATE_REFUSED = "token.create_refused"  # noqa: S105
    TOKEN_REVOKED = "token.revoked"  # noqa: S105
    TOKEN_REVOKE_REFUSED = "token.revoke_refused"  # noqa: S105
    TOKEN_REFUSED = "token.use_refused"  # noqa: S105
    PAGE_REFUSED = "page.view_refused"
    CALL_REFUSED = "call.make_refused"
    COMMAND_REFUSED = "command.run_refused"

    CATALOGUE_APPLIED = "catalogue.applied"
    CATALOGUE_REFUSED = "catalogue.apply_refused"
    DEPLOYMENT_UP = "deployment.reached"
    DEPLOYMENT_DOWN = "deployment.lost"
    DEPLOYMENT_LOCKED_OUT = "deployment.sign_in_refused"
    DEPLOYMENT_BOOTSTRAP_BEGUN = "deployment.bootstrap_begun"
    DEPLOYMENT_BOOTSTRAPPED = "deployment.bootstrapped"
    DEPLOYMENT_BOOTSTRAP_FAILED = "deployment.bootstrap_failed"

    REQUEST_SUBMITTED = "request.submitted"
    REQUEST_SUBMIT_REFUSED = "request.submit_refused"
    REQUEST_APPROVED = "request.approved"
    REQUEST_APPROVE_REFUSED = "request.approve_refused"
    REQUEST_STAGE_DONE = "request.stage_completed"
    REQUEST_GRANTED_AT_ONCE = "request.granted_at_once"
    REQUEST_DENIED = "request.denied"
    REQUEST_DENY_REFUSED = "request.deny_refused"
    REQUEST_RETURNED = "request.returned"
    REQUEST_RETURN_REFUSED = "request.return_refused"
    REQUEST_RESUBMITTED = "request.resubmitted"
    REQUEST_RESUBMIT_REFUSED = "request.resubmit_refused"
    REQUEST_COMMENTED = "request.commented"
    REQUEST_COMMENT_REFUSED = "request.comment_refused"
    REQUEST_WITHDRAWN = "request.withdrawn"
    REQUEST_WITHDRAW_REFUSED = "request.withdraw_refused"
    REQUEST_LAPSED = "request.lapsed"

    REQUEST_RUN_SCHEDULED = "request.run_scheduled"
    REQUEST_RUN_BEGUN = "request.run_begun"
    REQUEST_RUN_START_FAILED = "request.run_start_failed"
    REQUEST_RUN_CANCELLED = "request.run_cancelled"
    REQUEST_RUN_CANCEL_REFUSED = "request.run_cancel_refused"

    GRANT_SCHEDULED = "grant.scheduled"
    GRANT_STARTED = "grant.started"
    GRANT_ACTIVATED = "grant.verified"
    GRANT_GIVEN_UP = "grant.giving_failed"
    GRANT_FAILED = "grant.apply_failed"
    GRANT_RETRIED = "grant.retried"
    GRANT_RETRY_REFUSED = "grant.retry_refused"
    GRANT_EXPIRED = "grant.expired"
    GRANT_REVOKED = "grant.revoked"
    GRANT_REVOKE_REFUSED = "grant.revoke_refused"
    GRANT_HANDED_BACK = "grant.handed_back"
    GRANT_LEAVER = "grant.holder_left"
    GRANT_NOT_ELIGIBLE = "grant.eligibility_lost"
    GRANT_ENDED = "grant.ended"
    GRANT_END_FAILED = "grant.end_failed"
    GRANT_MISSING = "grant.found_missing"
    GRANT_GIVEN_AGAIN = "grant.given_again"
    GRANT_FOUND_AGAIN = "grant.found_again"
    GRANT_LEFT_TO_ADMINS = "grant.restore_failed"
    GRANT_UNUSABLE = "grant.account_deactivated"
    GRANT_USABLE = "grant.account_reactivated"
    GRANT_CAME_BACK = "grant.came_back"
    GRANT_TAKEN_AGAIN = "grant.taken_away_again"
    GRANT_CAME_BACK_LATE = "grant.came_back_late"
    GRANT_GONE_AGAIN = "grant.gone_again"

    ROLES_CHANGED = "airflow_roles.changed"
    ROLES_CONFIRMED = "airflow_roles.confirmed"
    ACCOUNT_MATCHED = "airflow_account.matched"
    ACCOUNT_CREATED = "airflow_account.created"
    ACCOUNT_RENAMED = "airflow_account.renamed"

    RUN_REQUESTED = "run.requested"
    RUN_REQUEST_REFUSED = "run.request_refused"
    RUN_STARTED = "run.started"
    RUN_START_FAILED = "run.start_failed"
    RUN_FINISHED = "run.finished"
    RUN_CHANGED = "run.changed"
    RUN_DELETED = "run.deleted"
    DAG_PAUSE_REQUESTED = "dag.pause_requested"
    DAG_UNPAUSE_REQUESTED = "dag.unpause_requested"
    DAG_PAUSE_REFUSED = "dag.pause_refused"
    DAG_UNPAUSE_REFUSED = "dag.unpause_refused"
    DAG_PAUSED = "dag.paused"
    DAG_UNPAUSED = "dag.unpaused"
    DAG_PAUSE_FAILED = "dag.pause_failed"
    DAG_UNPAUSE_FAILED = "dag.unpause_failed"
    DAG_SWITCH_LEFT_OUT = "dag.switch_left_out"

    VARIABLE_CHANGE_REQUESTED = "variable.change_requested"
    VARIABLE_CHANGE_REFUSED = "variable.change_refused"
    VARIABLE_CHANGED = "variable.changed"
    VARIABLE_CHANGE_FAILED = "variable.change_failed"
    VARIABLE_CHANGE_LEFT_OUT = "variable.change_left_out"

    AUDIT_FORMAT_CHANGED = "audit.format_changed"
    AUDIT_EXPORTED = "audit.exported"
    AUDIT_VERIFIED = "audit.verified"
    AUDIT_VERIFY_FAILED = "audit.verify_failed"
