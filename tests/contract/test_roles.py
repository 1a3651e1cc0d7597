"""Roles: read, and made complete at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_bridge import Airflow, Conflict, Forbidden, Rejected
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.needs("roles")]

VIEW = [("can_read", "DAG:sales_report"), ("can_read", "DAG Run:sales_report"), ("can_read", "Website")]


@pytest.mark.everywhere
def test_a_role_is_made_with_its_permissions(granter: Airflow) -> None:
    name = unique("role")
    role = granter.create_role(name, [*VIEW, VIEW[0]])
    assert (role.name, role.permissions) == (name, frozenset(VIEW))
    assert granter.role(name) == role
    assert role in list(granter.roles())


@pytest.mark.everywhere
def test_a_made_role_can_be_given(granter: Airflow, person: str) -> None:
    name = granter.create_role(unique("role"), VIEW).name
    assert granter.set_roles(person, ["Viewer", name]).roles == {"Viewer", name}


@pytest.mark.everywhere
def test_a_role_scoped_to_a_dag_opens_that_dag_alone(
    airflow: Airflow, granter: Airflow, client: Callable[..., Airflow]
) -> None:
    role = granter.create_role(unique("role"), VIEW)
    name = unique("scoped")
    mail = f"{name}@example.com"
    granter.create_user(username=name, email=mail, first_name="A", last_name="B", password="scoped", roles=[role.name])
    assert [dag.dag_id for dag in client(name, "scoped").dags()] == ["sales_report"]


@pytest.mark.everywhere
def test_the_built_in_roles_are_there(granter: Airflow) -> None:
    names = [role.name for role in granter.roles()]
    assert {"Admin", "Op", "User", "Viewer", "Public"} <= set(names)
    assert names == sorted(names, key=str)
    viewer = granter.role("Viewer")
    assert viewer is not None
    assert ("can_read", "DAGs") in viewer.permissions
    assert ("can_edit", "DAGs") not in viewer.permissions


@pytest.mark.parametrize("name", ["No such role", "viewer", "a/b", "", ".."])
def test_no_such_role(granter: Airflow, name: str) -> None:
    assert granter.role(name) is None


@pytest.mark.everywhere
def test_a_role_is_made_once(granter: Airflow) -> None:
    name = unique("role")
    granter.create_role(name, VIEW)
    with pytest.raises(Conflict, match=name):
        granter.create_role(name, VIEW)


@pytest.mark.parametrize(
    ("permission", "words"),
    [
        (("can_read", "DAG:never_parsed"), "DAG:never_parsed"),
        (("can_fly", "DAGs"), "can_fly"),
    ],
)
def test_a_permission_that_is_none_makes_no_role(granter: Airflow, permission: tuple[str, str], words: str) -> None:
    name = unique("role")
    with pytest.raises(Rejected, match=words):
        granter.create_role(name, [*VIEW, permission])
    assert granter.role(name) is None


@pytest.mark.parametrize("name", ["", "a/b", "x" * 65])
def test_a_name_that_airflow_cannot_keep_is_rejected(granter: Airflow, name: str) -> None:
    with pytest.raises(Rejected) as caught:
        granter.create_role(name, VIEW)
    assert caught.value.field == "name"


def test_the_longest_name(granter: Airflow) -> None:
    name = unique("r").ljust(64, "x")
    assert granter.create_role(name, []).name == name


@pytest.mark.everywhere
@pytest.mark.separate
def test_the_runner_has_no_say_over_roles(runner: Airflow) -> None:
    for call in (lambda: runner.role("Viewer"), lambda: list(runner.roles()), lambda: runner.create_role("x", VIEW)):
        with pytest.raises(Forbidden, match="on Roles"):
            call()
