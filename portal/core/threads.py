"""What the loops of all processes' threads have in common."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, InterfaceError, connection

log = logging.getLogger(__name__)


@contextmanager
def errors_logged(name: str) -> Iterator[None]:
    """Log an error of the block instead of raising it, so that the thread goes on.

    name: the thread or its task, for the log. A connection on which the database failed is closed; Django opens
    another one.
    """
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        log.warning("%s: the database does not answer: %s", name, error)
        with suppress(Exception):  # a broken connection may fail to close
            connection.close()
    except Exception:
        log.exception("%s failed in an unforeseen way", name)
