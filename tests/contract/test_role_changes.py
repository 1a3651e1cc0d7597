"""Roles: changed, renamed and deleted by an administrator, where Airflow can."""

from __future__ import annotations

import pytest

from airflow_bridge import Airflow, Forbidden, NotApplied, NotFound, Rejected, Unsupported
from tests.contract.people import create
from tests.contract.raw import Raw
from tests.contract.servers import Server
from tests.fake_airflow import FakeAirflow
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.needs("role_edits"), pytest.mark.once]

READ = ("can_read", "DAGs")
EDIT = ("can_edit", "DAGs")
RUNS = ("can_read", "DAG Runs")


@pytest.fixture
def role(airflow: Airflow) -> str:
    """The name of a role that reads and edits DAGs."""
    return airflow.create_role(unique("role"), [READ, EDIT]).name


@pytest.mark.everywhere
def test_permissions_are_added(airflow: Airflow, role: str) -> None:
    assert airflow.update_role(role, [READ, EDIT, RUNS]).permissions == {READ, EDIT, RUNS}
    found = airflow.role(role)
    assert found is not None
    assert found.permissions == {READ, EDIT, RUNS}


@pytest.mark.needs("role_shrinking")
def test_permissions_are_replaced(airflow: Airflow, role: str) -> None:
    assert airflow.update_role(role, [READ, RUNS]).permissions == {READ, RUNS}
    assert airflow.update_role(role, []).permissions == frozenset()


@pytest.mark.everywhere
@pytest.mark.needs("only_adding")
def test_where_permissions_are_only_added_none_is_said_to_be_taken_away(
    airflow: Airflow, server: Server, role: str
) -> None:
    with pytest.raises(Unsupported, match=r"keeps can_edit on DAGs.*not take any away"):
        airflow.update_role(role, [READ, RUNS])
    found = airflow.role(role)
    assert found is not None
    assert found.permissions == {READ, EDIT}
    # what Airflow itself does: it says that it is done
    pairs = [{"action": {"name": READ[0]}, "resource": {"name": READ[1]}}]
    body = {"name": role, "actions": pairs}
    assert Raw(server, *server.admin).patch(f"/roles/{role}", body).status == 200
    found = airflow.role(role)
    assert found is not None
    assert found.permissions == {READ, EDIT}


def test_an_airflow_that_keeps_what_was_to_go(airflow: Airflow, fake: FakeAirflow, role: str) -> None:
    fake.fail_next("PATCH .*/roles/.*", "ignore")
    with pytest.raises(NotApplied, match="lacks can_read on DAG Runs"):
        airflow.update_role(role, [READ, EDIT, RUNS])


def test_permissions_that_are_none(airflow: Airflow, role: str) -> None:
    with pytest.raises(Rejected, match="can_fly"):
        airflow.update_role(role, [READ, EDIT, ("can_fly", "DAGs")])
    with pytest.raises(NotFound):
        airflow.update_role("No such role", [READ])


@pytest.mark.everywhere
def test_a_role_that_is_deleted_is_taken_from_everybody(airflow: Airflow, role: str) -> None:
    person = create(airflow, roles=["Viewer", role])
    airflow.delete_role(role)
    assert airflow.role(role) is None
    found = airflow.user(person.username)
    assert found is not None
    assert found.roles == {"Viewer"}
    with pytest.raises(NotFound):
        airflow.delete_role(role)


@pytest.mark.everywhere
@pytest.mark.separate
def test_the_granter_completes_roles_and_deletes_none(granter: Airflow, role: str) -> None:
    assert granter.update_role(role, [READ, EDIT, RUNS]).permissions == {READ, EDIT, RUNS}
    with pytest.raises(Forbidden, match="can_delete on Roles"):
        granter.delete_role(role)
    assert granter.role(role) is not None


@pytest.mark.everywhere
@pytest.mark.separate
def test_the_runner_changes_no_role(runner: Airflow, role: str) -> None:
    for call in (
        lambda: runner.update_role(role, [READ, EDIT, RUNS]),
        lambda: runner.delete_role(role),
    ):
        with pytest.raises(Forbidden, match="on Roles"):
            call()
