"""The same as commands for Airflow's own command line, for an administrator who makes the two accounts there."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from portal.airflow.bridge import Permission
from portal.airflow.service_accounts import FIRST_NAME, Account
from portal.catalogue import values

PASSWORDS: Mapping[str, str] = {"granter": "GRANTER_PASSWORD", "runner": "RUNNER_PASSWORD"}
TEXT = """\
#!/bin/sh
# Gatehouse’s accounts on {name}, for an administrator of that Airflow (2, or 3 with the FAB auth manager), to be run
# where the command `airflow` has its configuration. To run it twice does no harm.
#
# GRANTER_PASSWORD and RUNNER_PASSWORD are the passwords that Gatehouse has; for one that is not set, Airflow asks.
(
set -eu

# Airflow asks for a password at the terminal; only without one does it take what it is given, with a warning that is
# meant for people who type. In its arguments everybody on this machine could read it.
user() {{
  password=$1
  shift
  if [ -z "$password" ]; then
    airflow users create "$@"
    return
  fi
  printf '%s\\n%s\\n' "$password" "$password" |
    python3 -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' airflow users create "$@"
}}

airflow roles create {roles}

{accounts}
)
# An account that was there before keeps its roles and its password; these give it its role, and another password:
{afterwards}
# Whether all is well is then said by `manage.py deployment check`, where Gatehouse is.
"""


def script(name: str, accounts: Sequence[Account]) -> str:
    """A shell script that makes the accounts where they are missing. It holds no password.

    Raises ValueError for a name that would not stay in its place: a line break in one would end the comment it is in.
    """
    _check("the deployment's name", name)
    for account in accounts:
        _check(f"the {account.part}'s user name", account.username)
        _check(f"the {account.part}'s role", account.role)
    return TEXT.format(
        name=name,
        roles=shlex.join(account.role for account in accounts),
        accounts="\n\n".join("\n".join(_making(account)) for account in accounts),
        afterwards="\n".join(f"#   {line}" for account in accounts for line in _afterwards(account)),
    )


def changing(verb: str, role: str, permissions: Iterable[Permission]) -> str:
    """The command that adds permissions to a role ("add-perms") or takes them away ("del-perms")."""
    return "; ".join(_changing(verb, role, permissions))


def _check(what: str, name: str) -> None:
    try:
        values.argument(name)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None


def _making(account: Account) -> list[str]:
    person = {
        "role": account.role,
        "username": account.username,
        "email": account.email,
        "firstname": FIRST_NAME,
        "lastname": account.last_name,
    }
    options = [part for option, value in person.items() for part in (f"--{option}", value)]
    return [
        f"# the {account.part}",
        *_changing("add-perms", account.role, account.permissions),
        f'user "${{{PASSWORDS[account.part]}:-}}" {shlex.join(options)}',
    ]


def _afterwards(account: Account) -> list[str]:
    return [
        shlex.join(["airflow", "users", "add-role", "--username", account.username, "--role", account.role]),
        shlex.join(["airflow", "users", "reset-password", "--username", account.username]),
    ]


def _changing(verb: str, role: str, permissions: Iterable[Permission]) -> list[str]:
    """Each command takes every one of its actions on every one of its resources."""
    actions: dict[str, set[str]] = {}
    for action, on in permissions:
        actions.setdefault(on, set()).add(action)
    resources: dict[tuple[str, ...], list[str]] = {}
    for on, some in sorted(actions.items()):
        resources.setdefault(tuple(sorted(some)), []).append(on)
    return [
        shlex.join(["airflow", "roles", verb, role, "--resource", *on, "--action", *some])
        for some, on in resources.items()
    ]
