"""Whoever runs a management command: an actor of the trail who is not necessarily a person of the portal."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from portal.audit.record import source


@dataclass(frozen=True)
class Operator:
    """Recorded by name; that the name was given on the command line is seen from the event's source."""

    name: str

    def get_username(self) -> str:
        return self.name

    @classmethod
    def current(cls, name: str = "") -> Operator:
        """Who `--as` names, else the owner of this process as the operating system knows them."""
        try:
            return cls((name.strip() or getpass.getuser())[:150])
        except (KeyError, OSError):  # a container without a passwd entry for its user
            return cls("unknown operator")


def add_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as", dest="operator", default="", metavar="NAME", help="who to record as having done this; default: you"
    )


@contextmanager
def at_the_command_line() -> Iterator[None]:
    """Events recorded within say that they came from the command line."""
    reset = source.set(replace(source.get(), address="command line"))
    try:
        yield
    finally:
        source.reset(reset)
