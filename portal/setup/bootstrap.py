"""Gatehouse's two accounts on an Airflow, made and kept right by an administrator of it.

Plain functions over clients: no database and no settings, so that whoever has an Airflow can use them.
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
"""A client of its own for (user name, password), which is closed after use."""


@dataclass
class Report:
    """What was done; what is as Gatehouse can live with, but should not be; what is wrong. Without full stops."""

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
    """Make what is missing, leave what is right, read everything back, and write into `report` what came of it.

    shrink: take from the two roles what they permit beyond need. set_passwords: where an account has another one. What
    may be somebody's own is left as it is: an account that holds Admin, or neither its role nor its password.
    Raises BridgeError where Airflow cannot be asked or refuses; what was done until then is in the report.
    """
    can = admin.capabilities()
    if reason := can.missing.get("users") or can.missing.get("roles"):
        report.wrong.append(
            f"{admin.name} has no accounts that Gatehouse could make: {reason}. Make them where its people are kept"
        )
        return
    made: list[Account] = []
    for account in (replace(account, permissions=needs.of_use(account.permissions, can)) for account in accounts):
        before = admin.user(account.username)
        if before is not None and ADMIN in before.roles:
            report.wrong.append(
                f"{account.part}.username = “{account.username}” holds the role {ADMIN} on {admin.name} and is left as "
                "it is: name in the file an account for Gatehouse alone, which is made where there is none"
            )
            continue
        _ensure_role(admin, account, shrink=shrink, report=report)
        if before is not None and account.role not in before.roles and _signed_in(account, sign_in) is None:
            report.wrong.append(
                f"{account.part}.username = “{account.username}” is there without the role {account.role}, does not "
                "take the password that Gatehouse has, and is left as it is: if it is somebody’s own, name another in "
                "the file; if it is Gatehouse’s, give it that role in Airflow and run this again with --set-passwords"
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
        report.done.append(f"made the role {role.name}")
    if missing := wanted - role.permissions:
        role = _complete(admin, role, missing, report)
    if more := role.permissions - wanted - {GIVEN_BY_AIRFLOW}:
        _cut(admin, role, more, shrink=shrink, report=report)


def _complete(admin: Airflow, role: Role, missing: frozenset[Permission], report: Report) -> Role:
    """The role with what was missing; where roles cannot be changed through the API, as it was."""
    try:
        completed = admin.update_role(role.name, role.permissions | missing)
    except Unsupported as error:
        command = changing("add-perms", role.name, missing)
        report.notes.append(f"{error.args[0].rstrip('.')}. Airflow’s own command line can: {command}")
        return role
    report.done.append(f"gave the role {role.name} {listed(missing)}")
    return completed


def _cut(admin: Airflow, role: Role, more: frozenset[Permission], *, shrink: bool, report: Report) -> None:
    says = f"the role {role.name} permits more than Gatehouse needs: {listed(more)}"
    if not shrink:
        report.notes.append(f"{says}. --shrink takes it away")
        return
    try:
        admin.update_role(role.name, role.permissions - more)
    except Unsupported:
        command = changing("del-perms", role.name, more)
        report.notes.append(f"{says}. Its API takes nothing away, Airflow’s own command line does: {command}")
        return
    report.done.append(f"took {listed(more)} from the role {role.name}")


def _ensure_user(admin: Airflow, account: Account, user: AirflowUser | None, report: Report) -> None:
    """`user` is the account as it is now; None where there is none."""
    if user is None:
        user = admin.create_user(
            username=account.username,
            email=account.email,
            first_name=FIRST_NAME,
            last_name=account.last_name,
            password=account.password,
            roles=[account.role],
        )
        report.done.append(f"made the account {user.username} with the role {account.role}")
    if account.role not in user.roles:
        user = admin.set_roles(user.username, user.roles | {account.role})
        report.done.append(f"gave the account {user.username} the role {account.role}")
    if others := user.roles - {account.role}:
        roles = ", ".join(sorted(others))
        report.notes.append(f"the account {user.username} has other roles too, and may do what they permit: {roles}")
    if not user.active:
        report.wrong.append(f"the account {user.username} is deactivated in Airflow, and only there it is activated")


# --- signing in ------------------------------------------------------------------------------------------------------
def _try(admin: Airflow, account: Account, *, sign_in: SignIn, set_passwords: bool, report: Report) -> None:
    """What the account lacks is read as administrator; then it has to show the same itself."""
    lacks = admin.lacking(account.permissions, username=account.username)
    for pair in sorted(lacks):
        report.wrong.append(f"the {account.part} lacks {listed([pair])} (to {account.permissions[pair]})")
    shown = _signed_in(account, sign_in)
    if shown is None and set_passwords:
        admin.update_user(account.username, password=account.password)
        report.done.append(f"set the password of {account.username}")
        shown = _signed_in(account, sign_in)
    if shown is None:
        way_out = "it was set, and is refused" if set_passwords else "--set-passwords sets that one"
        report.wrong.append(f"Airflow does not take the password that Gatehouse has for {account.username}: {way_out}")
    elif yet := shown - lacks:
        report.notes.append(
            f"{account.username} may not use {listed(yet)} yet: Airflow takes up to half a minute to go by a change"
        )


def _signed_in(account: Account, sign_in: SignIn) -> frozenset[Permission] | None:
    """What it lacks, as it finds out itself; None where it cannot sign in."""
    own = sign_in(account.username, account.password)
    try:
        own.check()
        return own.lacking(account.permissions)
    except Unauthorised:
        return None
    except Forbidden:  # let in, and permitted nothing yet
        return frozenset(account.permissions)
    finally:
        own.close()
