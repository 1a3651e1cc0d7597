"""Call a function for each due row, each in a separate transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from django.db import InterfaceError, OperationalError

from portal.core.errors import Conflict

log = logging.getLogger(__name__)


def each(ids: Iterable[int], do: Callable[[int], object]) -> int:
    """Call `do` with each id, each in a separate transaction. Returns how many calls succeeded.

    A call that fails is logged, and the next one follows. Raises OperationalError and InterfaceError: the database
    itself failed, so all further calls would fail as well.
    """
    done = 0
    for number in ids:
        try:
            do(number)
        except Conflict:  # a person or another worker was faster
            continue
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("%s of number %s failed unexpectedly", do.__name__, number)
        else:
            done += 1
    return done
