"""manage.py person add"""

from __future__ import annotations

import argparse
from typing import Any

from accounts.commands import SubcommandsCommand
from accounts.enrolment import enrol
from accounts.operator import Operator


class Command(SubcommandsCommand):
    help = "Add people to the portal and put them into groups."

    def add_verbs(self, verbs: Any) -> None:
        add: argparse.ArgumentParser = self.add_verb(
            verbs, "add", "Add a person, or bring their details and groups up to date if they are there already."
        )
        add.add_argument("username")
        add.add_argument("--email", help="by which their Airflow accounts are found")
        add.add_argument("--name", help="first and last name")
        add.add_argument("--group", action="append", dest="groups", help="repeat for more; these and no others")
        add.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        add.add_argument("--json", action="store_true", help="say what was done as JSON")

    def do_add(self, *, by: Operator, options: dict[str, Any]) -> None:
        password = self.read_stdin_line("a password") if options["password_stdin"] else None
        done = enrol(
            by=by,
            username=options["username"],
            email=options["email"],
            name=options["name"],
            groups=options["groups"],
            password=password,
        )
        if options["json"]:
            answer = {
                "username": done.user.username,
                "created": done.created,
                "changed": list(done.changed),
                "groups": list(done.groups),
            }
            self.as_json(answer | ({"password": done.password} if done.password else {}))
            return
        what = "added" if done.created else f"changed: {', '.join(done.changed)}" if done.changed else "unchanged"
        self.stdout.write(f"{done.user.username} {what}; groups: {', '.join(done.groups) or 'none'}")
        if done.password:
            self.stdout.write(f"password, shown this once: {done.password}")
