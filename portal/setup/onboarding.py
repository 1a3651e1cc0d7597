"""A deployment in gatehouse.toml and its two accounts: reads what the file says, and creates the accounts.

The file need not be in force, because it cannot be used without the accounts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from accounts.acting import check_actor
from accounts.operator import Operator
from portal.airflow.bridge import Airflow, BridgeError, PasswordAuth, connect
from portal.airflow.clients import connection_of
from portal.airflow.service_accounts import GRANTER, RUNNER, Account, listed, permissions
from portal.audit.models import AuditEvent
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.catalogue import loader, secrets
from portal.catalogue.document import AccountSpec, DeploymentSpec, Document
from portal.catalogue.models import Deployment
from portal.core import refs
from portal.core.errors import Invalid, Missing
from portal.setup import bootstrap
from portal.setup.bootstrap import Report

TIMEOUT = 30.0  # seconds for a call: Airflow may hash a password, and no page waits for this


@dataclass(frozen=True)
class Planned:
    """The file's content. accounts: those with a password (not included). elsewhere: what to do about the others."""

    name: str
    spec: DeploymentSpec
    accounts: tuple[Account, ...]
    elsewhere: tuple[str, ...]


def planned(path: Path, name: str) -> Planned:
    """Raises FileRefused, Missing for an unknown deployment, Invalid if granter and runner are the same account."""
    loaded = loader.load(path)
    spec = loaded.document.deployments.get(name)
    if spec is None:
        raise Missing(f"{loaded.name} has no deployment “{name}”.", reason="unknown_deployment")
    if spec.granter.username and _same(spec.granter.username, spec.runner.username):
        raise Invalid(
            {
                name: f"{name}: granter and runner are the same account. Name two accounts: an account that may edit "
                "users could make itself Admin, so it must not run DAGs."
            },
            reason="one_account",
        )
    accounts, elsewhere = [], []
    for part, account in _specs(spec).items():
        needed = _needed(part, name, spec, loaded.document)
        if account.kind == "password":
            accounts.append(Account(part, account.username or "", "", needed))
        else:
            elsewhere.append(
                f'the {part} signs in by kind = "{account.kind}": create its account in the system that manages such '
                f"accounts, with a role that permits {listed(needed)}"
            )
    return Planned(name, spec, tuple(accounts), tuple(elsewhere))


def create_accounts(
    plan: Planned,
    *,
    by: Operator,
    admin: tuple[str, str],
    report: Report,
    shrink: bool = False,
    set_passwords: bool = False,
) -> None:
    """Create the accounts as `admin` (user name, password) of that Airflow. `report` and the trail have what was done.

    Raises BridgeError if Airflow does not answer or refuses, SecretMissing, Invalid.
    """
    username, password = admin
    if any(_same(username, account.username) for account in plan.accounts):
        raise Invalid({"admin": f"{username} is one of the accounts to create; sign in as another administrator."})
    accounts = [replace(account, password=_secret(plan.spec, account.part)) for account in plan.accounts]
    report.notes += plan.elsewhere
    if not accounts:
        return
    client = _client(plan, username, password)
    check_actor(by, refusal=Verb.COMMAND_REFUSED, target=f"deployment bootstrap {plan.name}")
    _record(plan, Verb.DEPLOYMENT_BOOTSTRAP_BEGUN, by=by, admin=username)  # if it cannot be recorded, nothing is done
    try:
        bootstrap.ensure(
            client,
            accounts,
            sign_in=lambda *account: _client(plan, *account),
            report=report,
            shrink=shrink,
            set_passwords=set_passwords,
        )
    except BaseException as error:  # Ctrl-C too: the trail must have what was done until then
        _record_end(plan, report, by=by, admin=username, stopped=_why(error))
        raise
    finally:
        client.close()
    _record_end(plan, report, by=by, admin=username)


def _same(one: str, other: str | None) -> bool:
    """Whether two user names are the same for Airflow, which ignores case."""
    return other is not None and one.casefold() == other.casefold()


def _why(error: BaseException) -> str:
    """Other errors than the bridge's are recorded by their type only, because their text may hold secrets."""
    return str(error) if isinstance(error, BridgeError) else f"stopped before its end ({type(error).__name__})"


def _record_end(plan: Planned, report: Report, *, by: Operator, admin: str, stopped: str = "") -> None:
    said = "; ".join([*report.wrong, *filter(None, [stopped])])
    verb = Verb.DEPLOYMENT_BOOTSTRAP_FAILED if said else Verb.DEPLOYMENT_BOOTSTRAPPED
    detail = {"done": report.done} | ({"said": said} if said else {})
    _record(plan, verb, by=by, admin=admin, failed=bool(said), **detail)


def _record(
    plan: Planned, verb: Verb, *, by: Operator, admin: str, failed: bool = False, **detail: str | list[str]
) -> None:
    with recording() as trail:
        trail.add(
            verb,
            by=by,
            target=plan.name,
            about=[refs.deployment(plan.name)],
            outcome=AuditEvent.Outcome.FAILED if failed else AuditEvent.Outcome.SUCCESS,
            detail={"airflow_admin": admin, "url": plan.spec.url} | detail,  # where the password was sent
        )


def _specs(spec: DeploymentSpec) -> dict[str, AccountSpec]:
    return {GRANTER: spec.granter, RUNNER: spec.runner}


def _secret(spec: DeploymentSpec, part: str) -> str:
    password = _specs(spec)[part].password
    return secrets.resolve(password.as_json() if password else {})


def _needed(part: str, name: str, spec: DeploymentSpec, document: Document) -> dict[tuple[str, str], str]:
    """The permissions that the deployment needs in this file; if the file offers nothing there, all possible ones."""
    entitlements = [one for one in document.entitlements if one.deployment == name]
    dags = [one for one in document.dags if one.deployment == name]
    nothing = not entitlements and not dags
    return permissions(
        part,
        api=spec.api,
        creates_users=spec.create_users == "local",
        dag_roles=nothing or any(one.dag for one in entitlements),
        runs=nothing or bool(dags),
        variables=bool(spec.variables),
    )


def _client(plan: Planned, username: str, password: str) -> Airflow:
    connection = connection_of(Deployment(name=plan.name, **plan.spec.columns()))
    return connect(**connection, auth=PasswordAuth(username, password), timeout=TIMEOUT)
