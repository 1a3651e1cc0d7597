"""manage.py catalogue init | plan | apply. Not in portal.catalogue, because `init` reads from Airflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from pydantic import ValidationError

from accounts.operator import Operator
from portal.airflow.bridge import BridgeError
from portal.catalogue import actions, first_file, loader, queries, secrets
from portal.catalogue.document import DeploymentSpec
from portal.catalogue.mistakes import FileRefused
from portal.catalogue.plan import Plan, plan
from portal.setup import discovery
from portal.setup.commands import Refusal, SubcommandsCommand


class Command(SubcommandsCommand):
    help = "Write, compare and apply the catalogue file (gatehouse.toml)."

    def add_verbs(self, verbs: Any) -> None:
        init = self.add_verb(verbs, "init", "Write a first gatehouse.toml from the roles and DAGs of an Airflow.")
        init.add_argument("--deployment", required=True, metavar="NAME", help="the deployment's name in gatehouse.toml")
        init.add_argument("--url", help="its address; not needed if gatehouse.toml already has the deployment")
        init.add_argument(
            "--api", default="v2", choices=("v1", "v2"), help="v1 for Airflow 2; default: v2, for Airflow 3"
        )
        for account, what in (("granter", "roles"), ("runner", "DAGs; default: the granter's")):
            init.add_argument(f"--{account}", metavar="USERNAME", help=f"the account that reads {what}")
            init.add_argument(
                f"--{account}-password-env", metavar="VARIABLE", help="the environment variable that has its password"
            )
        init.add_argument("--output", type=Path, metavar="FILE", help="write here; default: print it")
        for name, what in (("plan", "Show what applying the file would change."), ("apply", "Put the file in force.")):
            verb = self.add_verb(verbs, name, what)
            verb.add_argument("file", nargs="?", type=Path, help="default: GATEHOUSE_CONFIG")
            verb.add_argument("--json", action="store_true", help="answer as JSON")

    # --- plan and apply ----------------------------------------------------------------------------------------------

    def do_plan(self, *, by: Operator, options: dict[str, Any]) -> None:
        try:
            planned = plan(loader.load(_file(options)), queries.version_in_force())
        except FileRefused as refusal:
            self._refused(refusal, options)
            raise
        if options["json"]:
            self.as_json(planned.as_json())
            return
        in_force = f"version {planned.in_force} in force" if planned.in_force else "nothing: no version is in force yet"
        self.stdout.write(f"{planned.file} compared with {in_force}")
        self._say(planned)

    def do_apply(self, *, by: Operator, options: dict[str, Any]) -> None:
        try:
            done = actions.apply(by=by, path=_file(options))
        except FileRefused as refusal:
            self._refused(refusal, options)
            raise
        if options["json"]:
            self.as_json({"version": done.version.number, "applied": not done.plan.same, **done.plan.as_json()})
            return
        what = "is in force already" if done.plan.same else "is in force now"
        self.stdout.write(f"{done.plan.file} {what} as version {done.version.number}")
        self._say(done.plan)

    def _say(self, planned: Plan) -> None:
        nothing = "  no difference" if planned.same else f"  {actions.ONLY_SPELLING}"
        self.stdout.write("\n".join(f"  {line}" for line in planned.lines) or nothing)
        for key, count in planned.covered.items():
            said = "no DAG is known yet" if count is None else f"{count} known DAG{'' if count == 1 else 's'}"
            self.stdout.write(f"  {key} covers: {said}")
        for warning in planned.warnings:
            self.stderr.write(f"warning: {warning}")

    def _refused(self, refusal: FileRefused, options: dict[str, Any]) -> None:
        if options["json"]:
            mistakes = [{"line": m.line, "key": m.key, "reason": m.reason} for m in refusal.mistakes]
            self.as_json({"file": refusal.file, "mistakes": mistakes})

    # --- init --------------------------------------------------------------------------------------------------------

    def do_init(self, *, by: Operator, options: dict[str, Any]) -> None:
        name, output = options["deployment"], options["output"]
        if output is not None and output.exists():
            raise Refusal(f"{output} already exists and is not overwritten. Name another --output.")
        spec = _described(options) if options["url"] else _known(name)
        try:
            found = discovery.look(name=name, spec=spec)
        except (BridgeError, secrets.SecretMissing) as error:
            raise Refusal(str(error)) from error
        text = first_file.written(name=name, spec=spec, version=found.version, roles=found.roles, dags=found.dags)
        loader.loads(text.encode(), name=output.name if output else "the file")
        if output is None:
            self.stdout.write(text)
            return
        output.write_text(text)
        self.stdout.write(f"{output} written: {len(found.roles)} roles and {len(found.dags)} DAGs of {name}")


def _file(options: dict[str, Any]) -> Path:
    return options["file"] or settings.CONFIG_FILE


def _known(name: str) -> DeploymentSpec:
    """The deployment as the present gatehouse.toml describes it. Raises Refusal, FileRefused."""
    if not settings.CONFIG_FILE.exists():
        raise Refusal("There is no gatehouse.toml yet. Give --url, --granter and --granter-password-env.")
    spec = loader.load(settings.CONFIG_FILE).document.deployments.get(name)
    if spec is None:
        raise Refusal(
            f"{settings.CONFIG_FILE.name} has no deployment “{name}”. Give --url, --granter and --granter-password-env."
        )
    return spec


def _described(options: dict[str, Any]) -> DeploymentSpec:
    """The deployment as the options describe it. Raises Refusal."""
    if not options["granter"] or not options["granter_password_env"]:
        raise Refusal("With --url, --granter and --granter-password-env are needed too.")
    granter = {"username": options["granter"], "password": {"env": options["granter_password_env"]}}
    runner = {
        "username": options["runner"] or options["granter"],
        "password": {"env": options["runner_password_env"] or options["granter_password_env"]},
    }
    try:
        return DeploymentSpec.model_validate(
            {"url": options["url"], "api": options["api"], "granter": granter, "runner": runner}
        )
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        reason = wrong.get("ctx", {}).get("error", wrong["msg"])
        raise Refusal(f"--{'-'.join(str(part) for part in wrong['loc'])}: {reason}") from None
