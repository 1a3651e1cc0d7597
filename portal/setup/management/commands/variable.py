"""manage.py variable get | set: the Airflow variables that the catalogue offers."""

from __future__ import annotations

from typing import Any

from accounts.operator import Operator
from portal.catalogue.models import Deployment
from portal.catalogue.queries import deployments_in_force
from portal.dags.variables import changing, reading
from portal.setup.commands import Refusal, SubcommandsCommand


class Command(SubcommandsCommand):
    help = "Read and change the Airflow variables that gatehouse.toml names under a deployment's `variables`."

    def add_verbs(self, verbs: Any) -> None:
        get = self.add_verb(verbs, "get", "Print the present value of a variable in Airflow.")
        change = self.add_verb(verbs, "set", "Set a variable; a worker carries it out.")
        for verb in (get, change):
            verb.add_argument("--deployment", required=True, metavar="NAME")
            verb.add_argument("key")
        change.add_argument("value", help="the new value; it must not be a secret, because the audit trail keeps it")
        change.add_argument("--reason", required=True, help="why; the audit trail keeps it")

    def do_get(self, *, by: Operator, options: dict[str, Any]) -> None:
        """Not an audit event: nothing is changed, and an operator can read the account's password anyway."""
        deployment = _deployment(options["deployment"])
        try:
            value = reading.read(deployment, options["key"])
        except reading.Unavailable as error:
            raise Refusal(str(error)) from error
        if value is None:
            raise Refusal(f"{deployment.name} has no variable {options['key']}.")
        self.stdout.write(value)

    def do_set(self, *, by: Operator, options: dict[str, Any]) -> None:
        operation = changing.change(
            by=by,
            deployment=_deployment(options["deployment"]),
            key=options["key"],
            value=options["value"],
            reason=options["reason"],
        )
        self.stdout.write(f"{operation.ref}: {options['key']} on {options['deployment']} will be changed by a worker")


def _deployment(name: str) -> Deployment:
    found = deployments_in_force().filter(name=name).first()
    if found is None:
        raise Refusal(f"There is no deployment “{name[:80]}” in force.")
    return found
