"""manage.py deployment bootstrap | check"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError

from accounts.operator import Operator
from portal.airflow.bridge import BridgeError
from portal.catalogue import secrets
from portal.catalogue.queries import deployments_in_force
from portal.setup import inspection, onboarding
from portal.setup.bootstrap import Report
from portal.setup.bootstrap_script import script
from portal.setup.commands import Refusal, SubcommandsCommand
from portal.setup.onboarding import Planned


class Command(SubcommandsCommand):
    help = "Create Gatehouse's two accounts on an Airflow, and check that Gatehouse can work there."

    def add_verbs(self, verbs: Any) -> None:
        bootstrap = self.add_verb(
            verbs,
            "bootstrap",
            "Create the two accounts that gatehouse.toml names for a deployment, each with a role that permits exactly "
            "what Gatehouse needs. What is already right stays; the command can be repeated.",
        )
        bootstrap.add_argument("name", metavar="NAME", help="its name in gatehouse.toml (GATEHOUSE_CONFIG)")
        bootstrap.add_argument("--admin", metavar="USERNAME", help="an administrator of that Airflow")
        password: argparse._MutuallyExclusiveGroup = bootstrap.add_mutually_exclusive_group()
        password.add_argument(
            "--admin-password-env", metavar="VARIABLE", help="the environment variable with the password"
        )
        password.add_argument("--admin-password-file", type=Path, metavar="FILE", help="the file with the password")
        bootstrap.add_argument(
            "--shrink", action="store_true", help="remove permissions that the two roles do not need"
        )
        bootstrap.add_argument(
            "--set-passwords", action="store_true", help="set the password of an account whose password differs"
        )
        bootstrap.add_argument(
            "--print",
            action="store_true",
            help="change nothing; print a script that an administrator of that Airflow can run there",
        )
        check = self.add_verb(verbs, "check", "Check deployments now; exit code 1 if something is wrong.")
        check.add_argument("name", nargs="?", metavar="NAME", help="default: all deployments in force")
        check.add_argument("--json", action="store_true", help="answer as JSON")

    def do_bootstrap(self, *, by: Operator, options: dict[str, Any]) -> None:
        plan = onboarding.planned(settings.CONFIG_FILE, options["name"])
        if options["print"]:
            if not plan.accounts:
                raise Refusal(_sentences(plan.elsewhere))
            self.stdout.write(script(plan.name, plan.accounts), ending="")
            self._print_notes(plan.elsewhere)
            return
        report = Report()
        try:
            self._create_accounts(plan, report, by=by, options=options)
        except (BridgeError, secrets.SecretMissing) as error:
            raise Refusal("\n".join([*_ended(report.wrong), str(error)])) from error
        finally:  # also after an error or Ctrl-C
            for line in report.done:
                self.stdout.write(line)
            self._print_notes(report.notes)
        if report.wrong:
            raise Refusal(_sentences(report.wrong))
        if plan.accounts:
            names = " and ".join(account.username for account in plan.accounts)
            self.stdout.write(f"{plan.name}: {names} can do what Gatehouse needs" + ("" if report.done else " already"))

    def _create_accounts(self, plan: Planned, report: Report, *, by: Operator, options: dict[str, Any]) -> None:
        admin = _admin(options)
        if plan.accounts:
            self.stderr.write(f"asking {plan.spec.url} as {admin[0]}")
        onboarding.create_accounts(
            plan,
            by=by,
            admin=admin,
            report=report,
            shrink=options["shrink"],
            set_passwords=options["set_passwords"],
        )

    def _print_notes(self, lines: Any) -> None:
        for line in lines:
            self.stderr.write(f"note: {line}")

    def do_check(self, *, by: Operator, options: dict[str, Any]) -> None:
        rows = deployments_in_force().order_by("name")
        if options["name"]:
            rows = rows.filter(name=options["name"])
        if not rows:
            raise Refusal(
                f"There is no deployment “{options['name']}” in force."
                if options["name"]
                else "No deployment is in force yet: `manage.py catalogue apply`."
            )
        looks = [inspection.look(deployment) for deployment in rows]
        if options["json"]:
            self.as_json([look.as_json() for look in looks])
        else:
            self.stdout.write("\n\n".join("\n".join(look.lines) for look in looks))
        if not all(look.ok for look in looks):
            raise SystemExit(1)


def _admin(options: dict[str, Any]) -> tuple[str, str]:
    """User name and password. Raises SecretMissing."""
    variable, file = options["admin_password_env"], options["admin_password_file"]
    if not options["admin"] or not (variable or file):
        raise CommandError(
            "Name an administrator of that Airflow: --admin with --admin-password-env or --admin-password-file. "
            "Or use --print for a script for Airflow’s command line.",
            returncode=2,
        )
    return options["admin"], secrets.resolve({"env": variable} if variable else {"file": str(file)})


def _sentences(lines: Any) -> str:
    return "\n".join(_ended(lines))


def _ended(lines: Any) -> list[str]:
    return [f"{line}." for line in lines]
