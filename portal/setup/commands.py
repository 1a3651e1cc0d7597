"""Base classes of Gatehouse's management commands: subcommands, `--as`, messages of refusals, exit codes 0, 1, 2."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import operator
from accounts.operator import Operator
from accounts.operator import account as operator_account
from accounts.permissions import Permission
from portal.audit.models import AuditEvent
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.core.errors import GatehouseError


class Refusal(CommandError):
    """The command was refused or found an error: exit code 1. (For wrong usage, argparse ends with 2.)"""

    def __init__(self, text: str) -> None:
        super().__init__(text, returncode=1)


class DisabledCommand:
    """Replaces a command of Django that must not be used here. Must be the first base class."""

    requires_migrations_checks = False
    said = ""
    """Why the command is not possible, and what to run instead. `{name}` is replaced by the given user name."""

    def handle(self, *args: Any, **options: Any) -> NoReturn:
        raise Refusal(self.said.format(name=options["username"] or "NAME"))


class SubcommandsCommand(BaseCommand):
    """`manage.py thing verb ...`: each verb is declared in `add_verbs` and is the method `do_verb`."""

    requires_system_checks: list[str] = []
    needs = Permission.HOME
    """The permission that the person named by `--as` must have: the one that the portal asks for the same action."""

    def add_verbs(self, verbs: Any) -> None:
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        # subparsers would be CommandParsers, which raise; we want argparse's own usage message and exit code 2
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=argparse.ArgumentParser)
        self.add_verbs(verbs)

    def add_verb(self, verbs: Any, name: str, help: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = verbs.add_parser(name, help=help, description=help)
        operator.add_argument(parser)
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        with operator.at_the_command_line():
            by = Operator(operator_account())
            try:
                if options["operator"]:
                    by = Operator.current(options["operator"], needs=self.needs)
                getattr(self, f"do_{options['verb']}")(by=by, options=options)
            except GatehouseError as error:
                self._note(by, options["verb"], error)
                raise Refusal(error.detail) from error

    def _note(self, by: Operator, verb: str, error: GatehouseError) -> None:
        """Record a refused command, unless the called action has already recorded it."""
        if error.recorded:
            return
        command = f"{self.__module__.rpartition('.')[2]} {verb}"
        detail = {"reason": error.reason, "said": error.detail}
        with recording() as trail:
            trail.add(Verb.COMMAND_REFUSED, by=by, target=command, outcome=AuditEvent.Outcome.REFUSED, detail=detail)

    def as_json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str))

    def read_stdin_line(self, what: str) -> str:
        """The first line of standard input. For secrets, which must not be arguments of a command."""
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            raise Refusal(f"Standard input is empty. It must contain {what}.")
        return line
