"""A shell script for Airflow's command line with which an Airflow administrator creates the two accounts."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from portal.airflow.bridge import Permission
from portal.airflow.service_accounts import FIRST_NAME, Account
from portal.catalogue import values

PASSWORDS: Mapping[str, str] = {"granter": "GRANTER_PASSWORD", "runner": "RUNNER_PASSWORD"}
TEXT = """\
#!/bin/sh
# Creates Gatehouse’s accounts on {name}. For an administrator of that Airflow (2, or 3 with the FAB auth manager). Run
# it where the command `airflow` has its configuration. You can run it again without harm.
#
# Set GRANTER_PASSWORD and RUNNER_PASSWORD to the passwords that Gatehouse has. If one is not set, Airflow asks for it.
(
set -eu

# With a terminal, Airflow asks for the password there. Without one (setsid), it reads standard input and prints a
# warning, which you can ignore. As an argument, everybody on this machine could read the password.
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
# Existing accounts keep their roles and passwords. These commands give an account its role and set its password:
{afterwards}
# Then, where Gatehouse runs: `manage.py deployment check` tells whether the accounts work.
"""


def script(name: str, accounts: Sequence[Account]) -> str:
    """A shell script that creates the missing accounts. It holds no password.

    Raises ValueError for a name that could break out of its place, for example a line break in a comment.
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
    """The command that adds permissions to a role ("add-perms") or removes them ("del-perms")."""
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
    """Airflow applies every action of a command to every resource of that command."""
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
