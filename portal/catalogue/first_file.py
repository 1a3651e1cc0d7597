"""Writes the first gatehouse.toml from the roles and DAGs of an Airflow. The file is valid and restrictive: nothing is
granted without a decision, and one group of approvers decides everything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from portal.catalogue import values
from portal.catalogue.document import DeploymentSpec

RISKS = {"Viewer": ("low", "30d"), "User": ("medium", "7d"), "Op": ("high", "8h"), "Admin": ("high", "1h")}
NOT_OFFERED = {"Public"}  # the role of people who are not signed in

_HEAD = """\
# What Airflow {name} ({version}) had when this file was written. Read it, change it, then:
#   manage.py catalogue plan     shows what would change
#   manage.py catalogue apply    puts it in force

[deployments.{name}]
url = {url}
api = {api}
# two accounts, because an account that may edit users can make itself Admin: granter for access, runner for DAGs
granter = {granter}
runner = {runner}
create_users = "never"           # or "local": a local Airflow account with a password nobody knows

[groups]
employees = {{}}                   # may request access
approvers = {{}}                   # decide requests
auditors = {{ role = "auditor" }}
admins = {{ role = "admin" }}

[policies.one-approver]
may_request = ["group:employees"]
stages = [{{ approvers = ["group:approvers"], quorum = 1 }}]
pending_for = "3d"
"""

_ROLE = """
[[entitlements]]
deployment = "{name}"
role = {role}
title = {role}
risk = "{risk}"
max_duration = "{longest}"
policy = "one-approver"
"""

_DAGS = """
# DAGs for people without an Airflow account. Add `who` (may run and pause them); people of `policy` only see them.
"""

_DAG = """
[[dags]]{description}
deployment = "{name}"
dag = {dag}
actions = ["trigger", "pause"]
policy = "one-approver"
"""


def written(
    *, name: str, spec: DeploymentSpec, version: str, roles: Iterable[str], dags: Iterable[tuple[str, str]]
) -> str:
    """The text of the file. Names that the catalogue cannot hold are left out, with a comment that says so."""
    text = _HEAD.format(
        name=name,
        version=f"Airflow {version}",
        url=_text(spec.url),
        api=_text(spec.api),
        granter=_table(spec.granter.as_json()),
        runner=_table(spec.runner.as_json()),
    )
    for role in roles:
        if reason := _impossible(values.airflow_role, role):
            text += _left_out("role", role, reason)
        elif role not in NOT_OFFERED:
            risk, longest = RISKS.get(role, ("medium", "7d"))
            text += _ROLE.format(name=name, role=_text(role), risk=risk, longest=longest)
    text += _DAGS
    for dag, description in dags:
        if reason := _impossible(values.dag_id, dag):
            text += _left_out("DAG", dag, reason)
        else:
            text += _DAG.format(name=name, dag=_text(dag), description=_comment(description))
    return text


def _impossible(check: Callable[[str], str], name: str) -> str:
    try:
        check(name)
    except ValueError as error:
        return str(error)
    return ""


def _left_out(kind: str, name: str, reason: str) -> str:
    return f"\n# left out: the {kind} {_text(name)}: {reason}\n"


def _comment(text: str) -> str:
    said = "".join(character if character.isprintable() else " " for character in text)
    return f"  # {' '.join(said.split())[:90]}" if said.strip() else ""


def _text(value: str) -> str:
    """A TOML string. TOML has all of JSON's escapes; in addition, the delete character must be escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _table(table: dict[str, object]) -> str:
    pairs = (f"{key} = {_table(item) if isinstance(item, dict) else _text(str(item))}" for key, item in table.items())
    return f"{{ {', '.join(pairs)} }}"
