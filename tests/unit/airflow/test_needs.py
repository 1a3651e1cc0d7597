"""What Gatehouse's two accounts need of an Airflow."""

import pytest

from airflow_bridge.capabilities import of_airflow_2, of_airflow_3
from portal.airflow import needs
from portal.catalogue.values import is_own_role

PEOPLE = {"Users", "Roles"}


def test_neither_account_can_do_the_work_of_the_other():
    granter = {**needs.GRANTER, **needs.CREATING_USERS, **needs.DAG_ROLES}
    runner = {**needs.RUNNER, **needs.VARIABLES}
    assert {resource for _, resource in granter} == PEOPLE
    assert not {resource for _, resource in runner} & PEOPLE


def test_their_roles_cannot_be_offered():
    assert is_own_role(needs.GRANTER_ROLE)
    assert is_own_role(needs.RUNNER_ROLE)


@pytest.mark.parametrize(("roles", "users", "usable"), [("token", "token", True), ("token", "password", False)])
def test_where_no_role_can_be_changed_nobody_needs_to_be_allowed_to(roles, users, usable):
    """FAB providers 3.0.3 to 3.1 take a token for roles and a password for users."""
    paths = [f"/fab/v1/{name}" for name, takes in (("roles", roles), ("users", users)) if takes == "token"]
    can = of_airflow_3("3.1.6", {"info": {"title": "FAB auth manager"}, "paths": paths})
    assert (("can_edit", "Roles") in needs.effective(needs.DAG_ROLES, can)) is usable
    assert needs.effective(needs.GRANTER, can) == needs.GRANTER
    assert needs.effective(needs.DAG_ROLES, of_airflow_2("2.11.2")) == needs.DAG_ROLES
