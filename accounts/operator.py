"""The operator: who runs a management command. An operating-system account, or the person whom `--as` names.

The first person is added without `--as`, because there is nobody yet to name.
"""

from __future__ import annotations

import argparse
import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from accounts import people, roles
from accounts.models import User
from accounts.permissions import Permission
from portal.audit.record import SYSTEM, Actor, source
from portal.core.errors import Invalid, Missing, Refused
from portal.core.text import fold

OS_ACCOUNT = "os:"
"""Prefix of an actor's name in the trail if the actor is an operating-system account. No user name has a colon."""


@dataclass(frozen=True)
class Operator:
    """An actor of the trail. Without a person its name is `os:<account>`, which cannot be a person's user name.

    needs: the permission that the person must have. Each action checks it again (accounts.acting).
    """

    account: str
    person: User | None = None
    needs: Permission = Permission.HOME

    def get_username(self) -> str:
        return self.person.username if self.person else f"{OS_ACCOUNT}{self.account}"

    @classmethod
    def current(cls, name: str = "", *, needs: Permission = Permission.HOME) -> Operator:
        """The owner of this process, acting as the person `name` if one is given.

        needs: the permission that the same action needs in the portal.
        Raises Invalid (`as`) if `name` is not an active person, Refused (`not_permitted`) without the permission.
        """
        return cls(account(), _person(name, needs) if name.strip() else None, needs)


def person_of(by: Actor | None) -> User | None:
    """The person who acts; None for the portal itself and for an operating-system account."""
    return by if isinstance(by, User) else by.person if isinstance(by, Operator) else None


def _person(name: str, needs: Permission) -> User:
    if fold(name.strip()) == SYSTEM:
        raise Invalid({"as": f"--as: “{SYSTEM}” is the portal's own name in the audit trail; name a person."})
    try:
        person = people.by_username(name)
    except Missing as error:
        raise Invalid({"as": f"--as: {error.detail} Without --as you are recorded as os:{account()}."}) from None
    if not person.is_active:
        raise Invalid({"as": f"--as: {person.username} is deactivated; name somebody who may sign in."})
    if not roles.has(person, needs):
        raise Refused(f"--as: {person.username} may not do this in the portal.", reason="not_permitted")
    return person


def account() -> str:
    """The name of the operating-system account that owns this process."""
    uid = os.getuid()  # not from the environment, which the caller can set
    try:
        return pwd.getpwuid(uid).pw_name[:40]
    except KeyError:  # a container without a passwd entry for its user
        return f"uid {uid}"


def add_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as",
        dest="operator",
        default="",
        metavar="NAME",
        help="the person of the portal to record as having done this; default: your operating-system account",
    )


@contextmanager
def at_the_command_line() -> Iterator[None]:
    """Events recorded in this block say: from the command line, with the operating-system account and the host."""
    where = f"command line ({account()}@{socket.gethostname().partition('.')[0]})"
    reset = source.set(replace(source.get(), address=where))
    try:
        yield
    finally:
        source.reset(reset)
