"""Which permissions an account lacks: read from its roles, or found by asking for what is not there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_bridge import Airflow, Forbidden, NotFound, Permission, Unauthorised, Unsupported, probes
from portal.demo.airflow.accounts import GRANTER, RUNNER
from tests.contract.people import create
from tests.contract.servers import IDLE, Server
from tests.fake_airflow import FakeAirflow
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.once]

OTHERS: frozenset[Permission] = frozenset(
    {
        ("can_read", "Users"),
        ("can_edit", "Users"),
        ("can_read", "Roles"),
        ("can_create", "Roles"),
        ("can_edit", "Roles"),
    }
)


@pytest.mark.everywhere
@pytest.mark.needs("users")
def test_the_granter_has_what_it_needs_and_no_more(granter: Airflow, server: Server) -> None:
    wanted = set(GRANTER) - of_no_use(server)
    assert granter.lacking(wanted) == frozenset()
    more = {("can_delete", "Users"), ("can_delete", "Roles"), ("can_read", "DAGs"), ("can_edit", "HITL Detail")}
    assert granter.lacking([*wanted, *more]) == more


def of_no_use(server: Server) -> set[Permission]:
    """Where no role can be changed, everybody is refused it: who has it cannot be found by asking."""
    return (set() if server.target.can("role_edits") else {("can_edit", "Roles")}) | of_no_meaning(server)


def of_no_meaning(server: Server) -> set[Permission]:
    """Permissions on what this Airflow does not have."""
    return set() if server.target.can("human_tasks") else {("can_read", "HITL Detail")}


@pytest.mark.everywhere
@pytest.mark.needs("users")
def test_the_runner_has_what_it_needs_and_no_more(runner: Airflow, server: Server) -> None:
    """It may not read its own roles."""
    assert runner.lacking(RUNNER) == frozenset()
    assert runner.lacking([*RUNNER, *OTHERS]) == OTHERS - of_no_use(server)


@pytest.mark.everywhere
@pytest.mark.needs("users")
def test_of_another_account(granter: Airflow, runner: Airflow, server: Server) -> None:
    pairs = {("can_edit", "DAGs"), ("can_read", "Users")}
    assert granter.lacking(pairs, username=server.runner[0]) == {("can_read", "Users")}
    with pytest.raises(Forbidden):
        runner.lacking(pairs, username=server.granter[0])


@pytest.mark.everywhere
@pytest.mark.needs("users")
def test_a_name_is_the_same_in_any_case(granter: Airflow, server: Server) -> None:
    pairs = {("can_edit", "DAGs"), ("can_read", "Users")}
    assert granter.lacking(pairs, username=server.runner[0].upper()) == {("can_read", "Users")}


@pytest.mark.everywhere
@pytest.mark.needs("users")
def test_nobody_lacks_nothing(granter: Airflow) -> None:
    """Nothing is found by asking, which would be answered for our own account."""
    name = unique("nobody")
    with pytest.raises(NotFound, match=f"no user “{name}”"):
        granter.lacking([("can_read", "Users"), ("can_read", "DAGs")], username=name)


@pytest.mark.everywhere
@pytest.mark.needs("users")
def test_every_permission_is_found_by_asking(airflow: Airflow, server: Server, client: Callable[..., Airflow]) -> None:
    """Of an account with all of them but the one that lets it read its own roles."""
    unreadable = ("can_read", "Users")
    known = set(probes.OF) - {unreadable} - of_no_meaning(server)
    role = airflow.create_role(unique("all_but_one"), known).name
    name = unique("prober")
    create(airflow, username=name, email=f"{name}@example.com", password="prober", roles=[role])
    assert client(name, "prober").lacking([*known, unreadable]) == {unreadable}
    # nothing has come of it
    assert airflow.user(probes.NOBODY) is None
    assert airflow.role(probes.NOBODY) is None
    assert airflow.dag(probes.NOWHERE) is None


@pytest.mark.everywhere
@pytest.mark.needs("users")
def test_no_permission_is_found_where_there_is_none(
    airflow: Airflow, server: Server, client: Callable[..., Airflow]
) -> None:
    """To Airflow 2 such an account is as one with a wrong password."""
    role = airflow.create_role(unique("next_to_nothing"), [("can_read", "Website"), ("can_read", "DAGs")]).name
    name = unique("prober")
    create(airflow, username=name, email=f"{name}@example.com", password="prober", roles=[role])
    wanted = set(probes.OF)
    assert client(name, "prober").lacking(wanted) == wanted - {("can_read", "DAGs")} - of_no_use(server)


def test_a_wrong_password_is_not_a_lack_of_permissions(server: Server, client: Callable[..., Airflow]) -> None:
    with pytest.raises(Unauthorised):
        client(server.runner[0], "not-the-password").lacking(RUNNER)


@pytest.mark.everywhere
def test_where_accounts_are_configuration(airflow: Airflow, runner: Airflow, server: Server) -> None:
    if server.target.can("users"):
        pairs = {("can_read", "DAGs"), ("can_delete", "Users")}
        assert airflow.lacking(pairs) == frozenset()
        return
    assert runner.lacking(RUNNER) == frozenset()
    assert airflow.lacking([("can_read", "Users"), ("can_read", "DAGs")]) == {("can_read", "Users")}
    with pytest.raises(Unsupported):
        airflow.lacking(RUNNER, username=server.runner[0])


# --- what there is to have -------------------------------------------------------------------------------------------
@pytest.mark.everywhere
@pytest.mark.needs("permission_list")
def test_every_pair_is_listed(granter: Airflow) -> None:
    pairs = granter.permissions()
    assert {("can_read", "DAGs"), ("can_edit", "Users"), ("can_read", f"DAG:{IDLE}")} <= pairs
    assert len(pairs) > 100


@pytest.mark.everywhere
@pytest.mark.needs("roles")
def test_the_pairs_of_roles_where_airflow_lists_none(granter: Airflow) -> None:
    name = unique("role")
    granter.create_role(name, [("can_read", f"DAG:{IDLE}")])
    assert {("can_read", "DAGs"), ("can_edit", "Users"), ("can_read", f"DAG:{IDLE}")} <= granter.permissions()


def test_a_permission_no_call_needs_is_taken_to_be_there(runner: Airflow, fake: FakeAirflow) -> None:
    assert runner.lacking([("can_read", "Jobs")]) == frozenset()
    assert not fake.calls("(POST|PATCH|PUT|DELETE) .*(?<!token)")
