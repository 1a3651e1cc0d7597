"""manage.py person add | list | show | groups | deactivate | reactivate | reset"""

from __future__ import annotations

import sys
from typing import Any

from accounts import passwords, people, roles
from accounts.enrolment import change_groups, enrol
from accounts.models import User
from accounts.operator import Operator
from portal.access import leaving
from portal.access.leaving import Leaving
from portal.audit.record import stamp
from portal.setup.commands import Refusal, SubcommandsCommand


class Command(SubcommandsCommand):
    help = "Add people, change their groups and passwords, deactivate them."

    def add_verbs(self, verbs: Any) -> None:
        add = self.add_verb(verbs, "add", "Add a person, or update a person's details and groups.")
        add.add_argument("username")
        add.add_argument("--email", help="e-mail address; Gatehouse finds the person's Airflow account by it")
        add.add_argument("--name", help="first and last name")
        add.add_argument(
            "--group",
            action="append",
            dest="groups",
            help='repeat for more; sets all groups of the person, "" for none',
        )
        add.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        add.add_argument("--json", action="store_true", help="answer as JSON")
        listing = self.add_verb(verbs, "list", "List people by user name.")
        listing.add_argument("--group", help="only those in this group")
        listing.add_argument("--json", action="store_true")
        show = self.add_verb(verbs, "show", "Show one person: groups, roles, tokens, grants, open requests.")
        show.add_argument("username")
        show.add_argument("--json", action="store_true")
        groups = self.add_verb(verbs, "groups", "Add a person to groups or remove them; shows the groups.")
        groups.add_argument("username")
        groups.add_argument("--add", action="append", default=[], metavar="GROUP", help="repeat for more")
        groups.add_argument("--remove", action="append", default=[], metavar="GROUP", help="repeat for more")
        groups.add_argument("--none", action="store_true", help="remove them from all groups first")
        groups.add_argument("--json", action="store_true")
        going = self.add_verb(
            verbs,
            "deactivate",
            "Deactivate a person: sessions and tokens end, open requests lapse, access in Airflow is removed.",
        )
        going.add_argument("username")
        going.add_argument("--reason", default="", help="why; the audit trail keeps it")
        going.add_argument("--plan", action="store_true", help="change nothing; print what would be done")
        going.add_argument("--json", action="store_true")
        back = self.add_verb(verbs, "reactivate", "Let a person sign in again. Ended access does not come back.")
        back.add_argument("username")
        back.add_argument("--reason", default="", help="why; the audit trail keeps it")
        reset = self.add_verb(
            verbs, "reset", "Set a new password: the given one, or a generated one. Sessions and tokens end."
        )
        reset.add_argument("username")
        reset.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        reset.add_argument("--json", action="store_true")

    def do_add(self, *, by: Operator, options: dict[str, Any]) -> None:
        password = self.read_stdin_line("a password") if options["password_stdin"] else None
        groups = options["groups"]
        done = enrol(
            by=by,
            username=options["username"],
            email=options["email"],
            name=options["name"],
            groups=[] if groups == [""] else groups,
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

    def do_list(self, *, by: Operator, options: dict[str, Any]) -> None:
        rows = User.objects.order_by("username")
        if options["group"]:
            rows = rows.filter(people.in_group(options["group"]))
        if options["json"]:
            self.as_json([_shown(person) for person in rows])
            return
        for person in rows:
            groups = ", ".join(people.groups_of(person)) or "no group"
            state = "" if person.is_active else "  deactivated"
            self.stdout.write(f"{person.username}  {person.get_full_name()}  {groups}{state}")

    def do_show(self, *, by: Operator, options: dict[str, Any]) -> None:
        person = people.by_username(options["username"])
        now = leaving.consequences(person.username)
        if options["json"]:
            self.as_json({**_shown(person), **_ending(now)})
            return
        for name, value in _shown(person).items():
            shown = ", ".join(value) if isinstance(value, list) else value
            self.stdout.write(f"{name.replace('_', ' ')}: {shown if shown != '' and shown is not None else 'none'}")
        for name, refs in _ending(now).items():
            self.stdout.write(f"{name}: {', '.join(refs) or 'none'}")

    def do_groups(self, *, by: Operator, options: dict[str, Any]) -> None:
        add, remove = options["add"], options["remove"]
        if add or remove or options["none"]:
            before, after = change_groups(
                by=by, username=options["username"], add=add, remove=remove, none=options["none"]
            )
        else:
            before = after = people.groups_of(people.by_username(options["username"]))
        if options["json"]:
            self.as_json({"before": before, "after": after})
            return
        was = "" if before == after else f" (before: {', '.join(before) or 'none'})"
        self.stdout.write(f"groups: {', '.join(after) or 'none'}{was}")

    def do_deactivate(self, *, by: Operator, options: dict[str, Any]) -> None:
        plan = leaving.consequences(options["username"])
        if not options["json"]:
            self.stdout.write(f"To deactivate {plan.person.username}: sign-in and sessions end; {_words(plan)}.")
        if options["plan"]:
            if options["json"]:
                self.as_json({"username": plan.person.username, "done": False, **_ending(plan)})
            return
        if not options["json"] and sys.stdin.isatty() and input("Go on? [y/N] ").strip().lower() not in ("y", "yes"):
            raise Refusal("Nothing was done.")
        done = leaving.deactivate(by=by, username=options["username"], reason=options["reason"])
        if options["json"]:
            self.as_json({"username": done.person.username, "done": True, **_ending(done)})
            return
        self.stdout.write(f"{done.person.username} is deactivated; ended: {_words(done)}.")
        if done.grants:
            self.stdout.write(
                "A worker removes the roles in Airflow. The page of each request shows when that is done."
            )

    def do_reactivate(self, *, by: Operator, options: dict[str, Any]) -> None:
        person = leaving.reactivate(by=by, username=options["username"], reason=options["reason"])
        self.stdout.write(
            f"{person.username} can sign in again, with the old password. Access must be requested again."
        )

    def do_reset(self, *, by: Operator, options: dict[str, Any]) -> None:
        password = self.read_stdin_line("a password") if options["password_stdin"] else None
        person, made_up, ended = passwords.reset(by=by, username=options["username"], password=password)
        tokens = [str(token) for token in ended]
        if options["json"]:
            answer = {"username": person.username, "tokens": tokens}
            self.as_json(answer | ({"password": made_up} if made_up else {}))
            return
        self.stdout.write(
            f"{person.username} has a new password; all sessions ended, and tokens: {', '.join(tokens) or 'none'}"
        )
        if made_up:
            self.stdout.write(f"password, shown this once: {made_up}")


def _shown(person: User) -> dict[str, Any]:
    return {
        "username": person.username,
        "name": person.get_full_name(),
        "email": person.email,
        "active": person.is_active,
        "groups": people.groups_of(person),
        "roles": sorted(roles.roles_of(person)),
        "last_sign_in": stamp(person.last_login) if person.last_login else None,
    }


def _ending(leaving: Leaving) -> dict[str, list[str]]:
    return {"tokens": leaving.tokens, "requests": leaving.requests, "grants": leaving.grants}


def _words(leaving: Leaving) -> str:
    """For example: “tokens gh_..; requests REQ-1, REQ-2; grants none”."""
    return "; ".join(f"{name} {', '.join(refs) or 'none'}" for name, refs in _ending(leaving).items())
