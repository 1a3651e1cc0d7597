"""Error handling that all background threads share."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import DatabaseError, InterfaceError, connection

log = logging.getLogger(__name__)


@contextmanager
def errors_logged(name: str) -> Iterator[None]:
    """Log an error of the block instead of raising it, so that the thread continues.

    name: the thread or its task, for the log. If the database failed, the connection is closed; Django opens a new one.
    """
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        log.warning("%s: the database does not answer: %s", name, error)
        with suppress(Exception):  # a broken connection may fail to close
            connection.close()
    except Exception:
        log.exception("%s failed unexpectedly", name)
