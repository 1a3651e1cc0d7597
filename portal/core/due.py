"""Do something for each row that is due, each in a transaction of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from django.db import InterfaceError, OperationalError

from portal.core.errors import Conflict

log = logging.getLogger(__name__)


def each(ids: Iterable[int], do: Callable[[int], object]) -> int:
    """Call `do` with each, every one a transaction of its own; for how many it was done.

    One that cannot be done is logged and keeps none of the others waiting. Raises OperationalError and InterfaceError,
    which are of the database: all the others would fail in the same way.
    """
    done = 0
    for number in ids:
        try:
            do(number)
        except Conflict:  # a person, or another worker, was first
            continue
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("%s of number %s failed in an unforeseen way", do.__name__, number)
        else:
            done += 1
    return done
