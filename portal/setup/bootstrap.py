"""Creates and repairs Gatehouse's two accounts on an Airflow, signed in as an administrator of that Airflow.

Plain functions that take clients, without database and settings, so that other code with an Airflow can use them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from portal.access.role_sets import ADMIN
from portal.airflow import needs
from portal.airflow.bridge import (
    Airflow,
    AirflowUser,
    Forbidden,
    Permission,
    Role,
    Unauthorised,
    Unsupported,
)
from portal.airflow.service_accounts import FIRST_NAME, GIVEN_BY_AIRFLOW, Account, listed
from portal.setup.bootstrap_script import changing

SignIn = Callable[[str, str], Airflow]
"""Creates a client for (user name, password), which is closed after use."""


@dataclass
class Report:
    """done: changes. notes: not ideal, but Gatehouse can work. wrong: must be corrected. Lines without full stops."""

    done: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def ensure(
    admin: Airflow,
    accounts: Sequence[Account],
    *,
    sign_in: SignIn,
    report: Report,
    shrink: bool = False,
    set_passwords: bool = False,
) -> None:
    """Create what is missing, keep what is right, read everything back, and write the result into `report`.

    shrink: remove permissions from the two roles that they do not need. set_passwords: replace a different password.
    An account that may belong to somebody else is not changed: one with the role Admin, or one with neither the
    account's role nor its password.
    Raises BridgeError if Airflow does not answer or refuses; the report then has what was done before.
    """
    can = admin.capabilities()
    if reason := can.missing.get("users") or can.missing.get("roles"):
        report.wrong.append(
            f"{admin.name} does not let Gatehouse create accounts: {reason}. Create them where its users are kept"
        )
        return
    made: list[Account] = []
    for account in (replace(account, permissions=needs.effective(account.permissions, can)) for account in accounts):
        before = admin.user(account.username)
        if before is not None and ADMIN in before.roles:
            report.wrong.append(
                f"{account.part}.username = “{account.username}” holds the role {ADMIN} on {admin.name} and was not "
                "changed: in gatehouse.toml, name an account for Gatehouse alone; if it is missing, it is created"
            )
            continue
        _ensure_role(admin, account, shrink=shrink, report=report)
        if before is not None and account.role not in before.roles and _signed_in(account, sign_in) is None:
            report.wrong.append(
                f"{account.part}.username = “{account.username}” exists, but it has neither the role {account.role} "
                "nor the password that Gatehouse has, and was not changed: if it belongs to somebody else, name "
                "another account in gatehouse.toml; if it is Gatehouse’s, give it that role in Airflow and repeat "
                "this command with --set-passwords"
            )
            continue
        _ensure_user(admin, account, before, report)
        made.append(account)
    for account in made:
        _try(admin, account, sign_in=sign_in, set_passwords=set_passwords, report=report)


# --- roles and users -------------------------------------------------------------------------------------------------
def _ensure_role(admin: Airflow, account: Account, *, shrink: bool, report: Report) -> None:
    wanted = frozenset(account.permissions)
    role = admin.role(account.role)
    if role is None:
        role = admin.create_role(account.role, wanted)
        report.done.append(f"created the role {role.name}")
    if missing := wanted - role.permissions:
        role = _complete(admin, role, missing, report)
    if more := role.permissions - wanted - {GIVEN_BY_AIRFLOW}:
        _cut(admin, role, more, shrink=shrink, report=report)


def _complete(admin: Airflow, role: Role, missing: frozenset[Permission], report: Report) -> Role:
    """Add the missing permissions to the role. If the API cannot change roles, the role is returned unchanged."""
    try:
        completed = admin.update_role(role.name, role.permissions | missing)
    except Unsupported as error:
        command = changing("add-perms", role.name, missing)
        report.notes.append(f"{error.args[0].rstrip('.')}. Use Airflow’s command line: {command}")
        return role
    report.done.append(f"gave the role {role.name} {listed(missing)}")
    return completed


def _cut(admin: Airflow, role: Role, more: frozenset[Permission], *, shrink: bool, report: Report) -> None:
    says = f"the role {role.name} permits more than Gatehouse needs: {listed(more)}"
    if not shrink:
        report.notes.append(f"{says}. --shrink removes it")
        return
    try:
        admin.update_role(role.name, role.permissions - more)
    except Unsupported:
        command = changing("del-perms", role.name, more)
        report.notes.append(f"{says}. Its API cannot remove permissions. Use Airflow’s command line: {command}")
        return
    report.done.append(f"removed {listed(more)} from the role {role.name}")


def _ensure_user(admin: Airflow, account: Account, user: AirflowUser | None, report: Report) -> None:
    """`user` is the existing account, or None."""
    if user is None:
        user = admin.create_user(
            username=account.username,
            email=account.email,
            first_name=FIRST_NAME,
            last_name=account.last_name,
            password=account.password,
            roles=[account.role],
        )
        report.done.append(f"created the account {user.username} with the role {account.role}")
    if account.role not in user.roles:
        user = admin.set_roles(user.username, user.roles | {account.role})
        report.done.append(f"gave the account {user.username} the role {account.role}")
    if others := user.roles - {account.role}:
        roles = ", ".join(sorted(others))
        report.notes.append(
            f"the account {user.username} has other roles too, whose permissions it does not need: {roles}"
        )
    if not user.active:
        report.wrong.append(f"the account {user.username} is deactivated in Airflow; activate it there")


# --- signing in ------------------------------------------------------------------------------------------------------
def _try(admin: Airflow, account: Account, *, sign_in: SignIn, set_passwords: bool, report: Report) -> None:
    """Check as administrator which permissions the account lacks. Then sign in as the account and check again."""
    lacks = admin.lacking(account.permissions, username=account.username)
    for pair in sorted(lacks):
        report.wrong.append(f"the {account.part} lacks {listed([pair])} (to {account.permissions[pair]})")
    shown = _signed_in(account, sign_in)
    if shown is None and set_passwords:
        admin.update_user(account.username, password=account.password)
        report.done.append(f"set the password of {account.username}")
        shown = _signed_in(account, sign_in)
    if shown is None:
        way_out = "it was set, but is refused" if set_passwords else "--set-passwords sets it"
        report.wrong.append(
            f"Airflow does not accept the password that Gatehouse has for {account.username}: {way_out}"
        )
    elif yet := shown - lacks:
        report.notes.append(
            f"{account.username} may not use {listed(yet)} yet: Airflow applies a change within half a minute"
        )


def _signed_in(account: Account, sign_in: SignIn) -> frozenset[Permission] | None:
    """The permissions that the account lacks by its own answer; None if it cannot sign in."""
    own = sign_in(account.username, account.password)
    try:
        own.check()
        return own.lacking(account.permissions)
    except Unauthorised:
        return None
    except Forbidden:  # signed in, but without permissions yet
        return frozenset(account.permissions)
    finally:
        own.close()
