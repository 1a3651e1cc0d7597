"""Roles for access to one DAG: made complete once, and what overrules them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_bridge import Airflow, Conflict, Forbidden, NotParsed, Overruled, Rejected, TimedOut, dag_permissions
from airflow_bridge.calls.roles import _in_order
from tests.contract.conftest import now
from tests.contract.people import create
from tests.contract.servers import IDLE, Server, wait_until
from tests.fake_airflow import FakeAirflow, FakeDag
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.needs("dag_permissions")]


@pytest.mark.everywhere
@pytest.mark.parametrize("level", ["view", "operate"])
def test_a_role_is_made_complete_and_found_ever_after(granter: Airflow, level: str) -> None:
    name, wanted = unique("dag"), dag_permissions(IDLE, level)
    role = granter.ensure_dag_role(name, IDLE, wanted)
    assert (role.name, role.permissions) == (name, wanted)
    assert granter.ensure_dag_role(name, IDLE, wanted) == role


@pytest.mark.once
def test_what_its_holders_can_do(granter: Airflow, client: Callable[..., Airflow]) -> None:
    for level in ("view", "operate"):
        role = granter.ensure_dag_role(unique("dag"), IDLE, dag_permissions(IDLE, level))
        name = unique(level)
        create(granter, username=name, email=f"{name}@example.com", password=level, roles=[role.name])
        person = client(name, level)
        assert [dag.dag_id for dag in person.dags()] == [IDLE]
        assert person.recent_runs(IDLE) is not None
        with pytest.raises(Forbidden):
            person.recent_runs("sales_report")
        if level == "view":
            with pytest.raises(Forbidden):
                person.trigger(IDLE, dag_run_id=unique("g__"), logical_date=now())
            with pytest.raises(Forbidden):
                person.set_paused(IDLE, True)
        else:
            person.trigger(IDLE, dag_run_id=unique("g__"), logical_date=now())
            person.set_paused(IDLE, True)


@pytest.mark.everywhere
def test_a_dag_that_airflow_has_not_read_yet(granter: Airflow) -> None:
    name = unique("dag")
    with pytest.raises(NotParsed, match="has not read the file of the DAG not_yet_there"):
        granter.ensure_dag_role(name, "not_yet_there", dag_permissions("not_yet_there", "view"))
    assert granter.role(name) is None


def test_a_dag_that_is_read_later(granter: Airflow, fake: FakeAirflow) -> None:
    name, wanted = unique("dag"), dag_permissions("newcomer", "view")
    fake.state.dags["newcomer"] = FakeDag("newcomer", parsed=False)
    with pytest.raises(NotParsed):
        granter.ensure_dag_role(name, "newcomer", wanted)
    fake.parse_dags()
    assert granter.ensure_dag_role(name, "newcomer", wanted).permissions == wanted


def test_another_reason_is_not_taken_for_that_one(granter: Airflow) -> None:
    with pytest.raises(Rejected, match="can_fly") as caught:
        granter.ensure_dag_role(unique("dag"), IDLE, {("can_fly", "Website")})
    assert not isinstance(caught.value, NotParsed)


@pytest.mark.once
def test_a_file_that_sets_access_control_has_the_last_word(granter: Airflow, server: Server) -> None:
    name, wanted = unique("dag"), dag_permissions("contract_ruled", "operate")
    granter.ensure_dag_role(name, "contract_ruled", wanted)
    server.change_file("contract_ruled")  # Airflow 3 would not wait for that

    def overruled() -> str | None:
        try:
            granter.ensure_dag_role(name, "contract_ruled", wanted)
        except Overruled as error:
            return str(error)
        return None

    words = wait_until(overruled, "the file of contract_ruled is read again")
    assert "access_control" in words
    assert "can_edit on DAG:contract_ruled" in words


@pytest.mark.everywhere
@pytest.mark.needs("role_shrinking")
@pytest.mark.once
def test_a_role_that_lost_something(airflow: Airflow, granter: Airflow) -> None:
    """As it looks after a file with access_control was read."""
    name, wanted = unique("dag"), dag_permissions(IDLE, "operate")
    granter.ensure_dag_role(name, IDLE, wanted)
    airflow.update_role(name, wanted - {("can_edit", f"DAG:{IDLE}")})
    with pytest.raises(Overruled, match=f"lacks can_edit on DAG:{IDLE}"):
        granter.ensure_dag_role(name, IDLE, wanted)
    role = airflow.role(name)
    assert role and ("can_edit", f"DAG:{IDLE}") not in role.permissions, "it is not edited"


@pytest.mark.everywhere
@pytest.mark.once
@pytest.mark.parametrize("level", ["view", "operate"])
def test_a_role_that_somebody_made_in_advance(airflow: Airflow, granter: Airflow, level: str) -> None:
    """Its name can be known, and creating roles takes less than what such a role may permit."""
    name, wanted = unique("dag"), dag_permissions(IDLE, level)
    made = airflow.create_role(
        name, wanted - {("can_read", "Task Logs")} | {("can_edit", "Users"), ("can_edit", "DAGs")}
    )
    with pytest.raises(
        Conflict, match=f"role {name} .* permits more .*: can_edit on DAGs, can_edit on Users.*delete it"
    ):
        granter.ensure_dag_role(name, IDLE, wanted)
    assert airflow.role(name) == made, "it is not edited"


@pytest.mark.everywhere
@pytest.mark.needs("role_edits")
@pytest.mark.once
@pytest.mark.parametrize("number", [0, 1, 3, 5])
def test_a_role_whose_making_was_broken_off_is_completed(airflow: Airflow, granter: Airflow, number: int) -> None:
    """Airflow gives a new role its permissions one by one; a killed server leaves the first of them."""
    name, wanted = unique("dag"), dag_permissions(IDLE, "view")
    airflow.create_role(
        name, _in_order(wanted, {f"DAG:{IDLE}", f"DAG Run:{IDLE}"})[:number] or [("can_read", "Website")]
    )
    assert granter.ensure_dag_role(name, IDLE, wanted).permissions == wanted
    assert granter.ensure_dag_role(name, IDLE, wanted).permissions == wanted


@pytest.mark.once
def test_one_that_may_not_be_completed_is_said(
    granter: Airflow, client: Callable[..., Airflow], airflow: Airflow
) -> None:
    name, wanted = unique("dag"), dag_permissions(IDLE, "view")
    allowed, maker = {("can_read", "Roles"), ("can_create", "Roles"), ("can_read", "Users")}, unique("maker")
    airflow.create_role(maker, allowed)
    create(airflow, username=maker, email=f"{maker}@example.com", password=maker, roles=[maker])
    airflow.create_role(name, [("can_read", f"DAG:{IDLE}")])
    with pytest.raises(
        Rejected, match=f"role {name} .* was broken off: it lacks .*can_read on Website.*Delete the role"
    ):
        client(maker, maker).ensure_dag_role(name, IDLE, wanted)


def test_a_role_in_the_making_is_read_again(granter: Airflow, fake: FakeAirflow) -> None:
    """Another program is making it at this moment."""
    name, wanted = unique("dag"), dag_permissions(IDLE, "operate")
    fake.fail_next("POST /(auth/fab|api)/v1/roles", "in_parts", seconds=0.4)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: granter.ensure_dag_role(name, IDLE, wanted), range(4)))
    assert {role.permissions for role in made} == {wanted}
    assert not fake.calls("PATCH /(auth/fab|api)/v1/roles/.*")


@pytest.mark.needs("role_edits")
def test_a_making_that_airflow_breaks_off_is_completed(granter: Airflow, fake: FakeAirflow) -> None:
    name, wanted = unique("dag"), dag_permissions(IDLE, "operate")
    fake.fail_next("POST /(auth/fab|api)/v1/roles", "broken_off")
    with pytest.raises(TimedOut):
        granter.ensure_dag_role(name, IDLE, wanted)
    assert fake.state.roles[name].permissions < wanted
    assert granter.ensure_dag_role(name, IDLE, wanted).permissions == wanted


@pytest.mark.once
def test_what_airflow_adds_to_every_role_is_no_harm(granter: Airflow) -> None:
    name, wanted = unique("dag"), dag_permissions(IDLE, "view") - {("can_read", "Website")}
    granter.create_role(name, wanted | {("can_read", "Website")})
    assert granter.ensure_dag_role(name, IDLE, wanted).permissions >= wanted
