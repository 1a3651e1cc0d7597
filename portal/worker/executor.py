"""Carrying operations out: claim, do it in Airflow outside any transaction, read back, settle with its events.

Whatever happens in between (a killed worker, a lost answer, a restart of the database), the operation is tried again
from the start, and a handler that finds its work done records that and goes on: nothing is lost, nothing done twice.
"""

from __future__ import annotations

import copy
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import InterfaceError, OperationalError, connection

from portal.airflow import health
from portal.airflow.bridge import (
    BridgeError,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthorised,
    Unreachable,
    Unsupported,
)
from portal.audit.record import Trail, recording
from portal.audit.verbs import Verb
from portal.catalogue import secrets
from portal.core import clock
from portal.core.errors import Conflict
from portal.operations import outbox, queries
from portal.operations.models import Operation
from portal.worker import alarms
from portal.worker.handlers import Done, Handler, NotNeeded, PermanentFailure, RetryLater, record
from portal.worker.handlers.dags import SetPaused, TriggerRun
from portal.worker.handlers.grants import GrantRole, RemoveAgain, RestoreRole, RevokeRole
from portal.worker.handlers.variables import SetVariable

log = logging.getLogger(__name__)

HANDLERS: dict[str, Handler] = {
    Operation.Kind.GRANT_ROLE: GrantRole(),
    Operation.Kind.REVOKE_ROLE: RevokeRole(),
    Operation.Kind.RESTORE_ROLE: RestoreRole(),
    Operation.Kind.REMOVE_AGAIN: RemoveAgain(),
    Operation.Kind.TRIGGER_RUN: TriggerRun(),
    Operation.Kind.PAUSE_DAG: SetPaused(paused=True),
    Operation.Kind.UNPAUSE_DAG: SetPaused(paused=False),
    Operation.Kind.SET_VARIABLE: SetVariable(),
}
LONGEST_WAIT = 300.0  # seconds between two attempts
LONGEST_OUTAGE = 30.0  # the same after what is not the operation's fault: it goes on soon after that is over
FINAL = (PermanentFailure, Rejected, NotFound, Unsupported)


def execute(operation: Operation) -> None:
    """Try an operation that this process has claimed, once. Raises only the database's errors.

    Where the lease was lost meanwhile, nothing is settled: the worker that has it now does that.
    """
    handler = HANDLERS[operation.kind]
    try:
        if handler.superseded and (later := queries.later(operation)) is not None:
            _leave_out(operation, handler.superseded, later)
            return
        done = handler.execute(operation)
        _settle(operation, handler, done)
    except NotNeeded as error:
        _cancel(operation, str(error))
    except Conflict as error:  # the lease was lost
        log.info("%s: %s", operation.ref, error)
    except FINAL as error:
        _give_up_or_wait(operation, handler, str(error))
    except RetryLater as error:
        _wait(operation, handler, str(error), error.retry_in)
    except Forbidden as error:
        _wait(operation, handler, str(error), None)
    except RateLimited as error:
        _wait(
            operation,
            handler,
            "Airflow limits the number of calls. Gatehouse tries again later.",
            error.retry_after,
            counts=False,
        )
    except (Unreachable, TimedOut) as error:  # of this call; whether the deployment is away is found by asking it
        health.suspect(operation.deployment)
        _wait(operation, handler, str(error), error.retry_after, counts=False)
    except (Unauthorised, secrets.SecretMissing) as error:
        goes_on = health.refuse(operation.deployment, operation.account, str(error))
        _wait(operation, handler, str(error), 0.0, counts=False)  # as soon as the account is let in again
        if goes_on:
            outbox.look_again()
    except BridgeError as error:
        _wait(operation, handler, str(error), error.retry_after)
    except (OperationalError, InterfaceError) as error:  # of the database, not of the operation
        log.warning("%s: the database does not answer: %s", operation.ref, error)
        connection.close()
        _wait(operation, handler, "Gatehouse's database did not answer.", None, counts=False)
    except Exception:
        log.exception("%s failed in an unforeseen way", operation.ref)
        _wait(operation, handler, "Gatehouse failed unexpectedly. The worker's log has the details.", None)


def _settle(operation: Operation, handler: Handler, done: Done) -> None:
    settled = copy.copy(operation)  # what is rolled back must not have changed the operation that is then put back
    with recording() as trail:
        handler.settle(settled, done, trail)
        outbox.succeed(settled, before=done.before, after=done.after)


@contextmanager
def _settling(operation: Operation) -> Iterator[Trail]:
    """The transaction that settles a failed attempt or puts it back. Nothing is written where the lease was lost."""
    try:
        with recording() as trail:
            yield trail
    except Conflict as error:
        log.info("%s: %s", operation.ref, error)


def _leave_out(operation: Operation, verb: Verb, later: Operation) -> None:
    """Cancel an operation that a later one supersedes: operations with one ordering key do not run in order."""
    with recording() as trail:
        asked = {"reason": operation.payload.get("reason", ""), "requested_by": operation.requested_by}
        record(trail, verb, operation, later=later.ref, **asked)
        outbox.cancel(operation, because=f"{later.ref} is newer and replaces {operation.ref}.")


def _cancel(operation: Operation, because: str) -> None:
    with _settling(operation):
        outbox.cancel(operation, because=because)


def _give_up_or_wait(operation: Operation, handler: Handler, why: str) -> None:
    if handler.max_attempts is None:
        _wait(operation, handler, why, None)
        return
    try:
        with _settling(operation) as trail:
            handler.give_up(operation, why, trail)
            outbox.fail(operation, error=why)
    except NotNeeded as error:
        _cancel(operation, str(error))


def _wait(operation: Operation, handler: Handler, why: str, seconds: float | None, *, counts: bool = True) -> None:
    """Requeue the operation; after its last attempt, give it up.

    seconds: what was asked for, by Airflow or by the handler. Such a wait does not count as a failed attempt, and
    neither does an outage (`counts=False`). A removal, which is never given up, counts each of its own waits, so that
    its alarm is raised in time.
    """
    if handler.max_attempts is not None:
        counts = counts and seconds is None
    failures = operation.failures + counts
    if counts and handler.max_attempts is not None and failures >= handler.max_attempts:
        _give_up_or_wait(operation, handler, why)
        return
    if seconds is None:
        seconds = backoff(failures) if counts else min(LONGEST_OUTAGE, backoff(operation.attempts))
    with _settling(operation) as trail:
        if handler.max_attempts is None and failures >= alarms.AFTER_FAILURES:
            alarms.tell(operation, why=why, trail=trail)
        until = clock.now() + timedelta(seconds=seconds)
        outbox.postpone(operation, until=until, waiting_for=why, failures=failures)


def backoff(attempts: int) -> float:
    """Seconds until the next attempt: doubling, at most LONGEST_WAIT, spread so that many do not come back at once."""
    longest = min(LONGEST_WAIT, 2.0 ** min(attempts, 20))  # an outage of days counts more attempts than a float holds
    return random.uniform(0.5, 1.0) * longest  # noqa: S311 - not a secret
