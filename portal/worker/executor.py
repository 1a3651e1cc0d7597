"""Executing operations: call Airflow outside any transaction, read back, settle with the events.

After a killed worker, a lost answer or a restart of the database, the operation is executed again from the start. A
handler that finds its work done records that, so nothing is lost and nothing is done twice.
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
from portal.operations import kinds, outbox, queries
from portal.operations.handling import Done, NotNeeded, PermanentFailure, ReadOnly, RetryLater, record
from portal.operations.kinds import Kind
from portal.operations.models import Operation
from portal.worker import alarms

log = logging.getLogger(__name__)

LONGEST_WAIT = 300.0  # seconds between two attempts
LONGEST_OUTAGE = 30.0  # the same during an outage, so that the operation continues soon after it
FINAL = (PermanentFailure, Rejected, NotFound, Unsupported)


def execute(operation: Operation) -> None:
    """Execute an operation once. This process must have claimed it. Raises only database errors.

    If the lease was lost meanwhile, nothing is settled here: the worker that has the lease settles it.
    """
    kind = kinds.get(operation.kind)
    try:
        if kind.superseded and (later := queries.later(operation)) is not None:
            _supersede(operation, kind.superseded, later)
            return
        done = kind.handler.execute(operation)
        _settle(operation, kind, done)
    except NotNeeded as error:
        _cancel(operation, str(error))
    except Conflict as error:  # the lease was lost
        log.info("%s: %s", operation.ref, error)
    except ReadOnly as error:
        _wait(operation, kind, str(error), None, counts=False)
    except FINAL as error:
        _give_up_or_wait(operation, kind, str(error))
    except RetryLater as error:
        _wait(operation, kind, str(error), error.retry_in)
    except Forbidden as error:
        _wait(operation, kind, str(error), None)
    except RateLimited as error:
        _wait(
            operation,
            kind,
            "Airflow limits the number of calls. Gatehouse tries again later.",
            error.retry_after,
            counts=False,
        )
    except (Unreachable, TimedOut) as error:  # only this call failed; the next check shows if the deployment is down
        health.suspect(operation.deployment)
        _wait(operation, kind, str(error), error.retry_after, counts=False)
    except (Unauthorised, secrets.SecretMissing) as error:
        can_continue = health.refuse(operation.deployment, operation.account, str(error))
        _wait(operation, kind, str(error), 0.0, counts=False)  # until Airflow accepts the account again
        if can_continue:
            outbox.look_again()
    except BridgeError as error:
        _wait(operation, kind, str(error), error.retry_after)
    except (OperationalError, InterfaceError) as error:  # the database failed, not the operation
        log.warning("%s: the database does not answer: %s", operation.ref, error)
        connection.close()
        _wait(operation, kind, "Gatehouse's database did not answer.", None, counts=False)
    except Exception:
        log.exception("%s failed unexpectedly", operation.ref)
        _wait(operation, kind, "Gatehouse failed unexpectedly. The worker's log has the details.", None)


def _settle(operation: Operation, kind: Kind, done: Done) -> None:
    settled = copy.copy(operation)  # after a rollback, `operation` must be unchanged
    with recording() as trail:
        kind.handler.settle(settled, done, trail)
        outbox.succeed(settled, before=done.before, after=done.after)


@contextmanager
def _settling(operation: Operation) -> Iterator[Trail]:
    """The transaction that settles or requeues a failed attempt. Nothing is written if the lease was lost."""
    try:
        with recording() as trail:
            yield trail
    except Conflict as error:
        log.info("%s: %s", operation.ref, error)


def _supersede(operation: Operation, verb: Verb, later: Operation) -> None:
    """Settle an operation that a later one replaces. Operations with one ordering key may run in any order."""
    with recording() as trail:
        asked = {"reason": operation.payload.get("reason", ""), "requested_by": operation.requested_by}
        record(trail, verb, operation, later=later.ref, **asked)
        outbox.supersede(operation, later=later)


def _cancel(operation: Operation, because: str) -> None:
    with _settling(operation):
        outbox.cancel(operation, because=because)


def _give_up_or_wait(operation: Operation, kind: Kind, why: str) -> None:
    if kind.max_attempts is None:
        _wait(operation, kind, why, None)
        return
    try:
        with _settling(operation) as trail:
            kind.handler.give_up(operation, why, trail)
            outbox.fail(operation, error=why)
    except NotNeeded as error:
        _cancel(operation, str(error))


def _wait(operation: Operation, kind: Kind, why: str, seconds: float | None, *, counts: bool = True) -> None:
    """Requeue the operation; fail it after `max_attempts` counted attempts.

    seconds: the wait that Airflow or the handler asked for. Such an attempt is counted only for kinds without
    `max_attempts`, so that their alarm is raised in time. counts=False: an outage, which is never counted.
    """
    if kind.max_attempts is not None:
        counts = counts and seconds is None
    failures = operation.failures + counts
    if counts and kind.max_attempts is not None and failures >= kind.max_attempts:
        _give_up_or_wait(operation, kind, why)
        return
    if seconds is None:
        seconds = backoff(failures) if counts else min(LONGEST_OUTAGE, backoff(operation.attempts))
    with _settling(operation) as trail:
        if kind.alarm and failures >= alarms.AFTER_FAILURES:
            alarms.raise_alarm(operation, why=why, trail=trail)
        until = clock.now() + timedelta(seconds=seconds)
        outbox.postpone(operation, until=until, waiting_for=why, failures=failures)


def backoff(attempts: int) -> float:
    """Seconds until the next attempt: doubling, at most LONGEST_WAIT, with jitter."""
    longest = min(LONGEST_WAIT, 2.0 ** min(attempts, 20))  # after days of outage, 2.0**attempts would overflow
    return random.uniform(0.5, 1.0) * longest  # noqa: S311 - not a secret
