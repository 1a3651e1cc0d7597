"""Users: found and listed, as they are stored."""

from __future__ import annotations

import pytest

from airflow_bridge import Airflow, Conflict, Forbidden
from tests.contract.people import create
from tests.contract.raw import Raw
from tests.contract.servers import Server
from tests.fake_airflow import FakeAirflow
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.needs("users")]


@pytest.mark.everywhere
def test_a_user_is_read_as_airflow_stores_it(granter: Airflow, person: str) -> None:
    user = granter.user(person)
    assert user is not None
    assert (user.username, user.email) == (person, f"{person.title()}@Example.com")
    assert (user.first_name, user.last_name, user.roles, user.active) == ("Per", "Son", frozenset({"Viewer"}), True)


@pytest.mark.everywhere
def test_a_user_is_found_in_any_case_and_named_as_stored(granter: Airflow, person: str) -> None:
    user = granter.user(person.upper())
    assert user is not None
    assert user.username == person


@pytest.mark.parametrize("name", ["nobody_here", "no/body", "", ".", "..", "na me", "näme", "50%", "a?b", "a#b"])
def test_nobody_is_nobody(granter: Airflow, name: str) -> None:
    assert granter.user(name) is None


@pytest.mark.everywhere
def test_the_list_has_everybody_once(granter: Airflow, server: Server, person: str) -> None:
    names = [user.username for user in granter.users()]
    assert {person, server.admin[0]} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.everywhere
@pytest.mark.once
def test_the_list_is_read_page_by_page(airflow: Airflow, granter: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {create(airflow).username for _ in range(3)}
    monkeypatch.setattr("airflow_bridge.calls.part.SIZE", 2)
    names = [user.username for user in granter.users()]
    assert made <= set(names)
    assert len(names) == len(set(names))


def test_pages_are_asked_for_as_they_are_needed(granter: Airflow, fake: FakeAirflow) -> None:
    fake.add_users(1000)
    everybody = granter.users()
    next(everybody)
    assert 1 <= len(fake.calls(r"GET .*/users")) <= 2  # this page, and the next one ahead
    assert sum(1 for _ in everybody) == len(fake.state.users) - 1


def test_somebody_who_is_not_active_is_shown_so(granter: Airflow, fake: FakeAirflow) -> None:
    fake.add_user("gone").active = False
    user = granter.user("gone")
    assert user is not None
    assert user.active is False
    assert granter.set_roles("gone", ["Op"]).roles == {"Op"}


def test_people_without_a_name_of_their_own(granter: Airflow, fake: FakeAirflow) -> None:
    """As single sign-on registers them; Airflow 3 refuses blank names in a change of anything else, too."""
    user = fake.add_user("blank")
    user.first_name = user.last_name = ""
    found = granter.user("blank")
    assert found is not None
    assert (found.first_name, found.last_name) == ("", "")
    assert granter.set_roles("blank", ["Op", "Viewer"]).roles == {"Op", "Viewer"}
    assert granter.set_roles("blank", []).roles == frozenset()


@pytest.mark.everywhere
@pytest.mark.needs("blank_names")
def test_blank_names_that_airflow_took(granter: Airflow, server: Server) -> None:
    name = unique("blank")
    body = {"username": name, "email": f"{name}@x.com", "first_name": "", "last_name": "", "password": "p"}
    assert Raw(server, *server.admin).post("/users", {**body, "roles": [{"name": "Viewer"}]}).status == 200
    user = granter.set_roles(name, ["Op"])
    assert (user.first_name, user.last_name, user.roles) == ("", "", {"Op"})


def test_find_by_name_first(granter: Airflow, person: str, server: Server) -> None:
    found = granter.find_user(username=person, email=f"{server.admin[0]}@example.com")
    assert found is not None
    assert found.username == person


@pytest.mark.everywhere
def test_find_by_email_in_any_case(granter: Airflow, person: str) -> None:
    found = granter.find_user(username="another_name", email=f"{person}@EXAMPLE.com")
    assert found is not None
    assert found.username == person


def test_find_nobody(granter: Airflow, person: str) -> None:
    assert granter.find_user(username="another_name", email="nobody@example.com") is None
    assert granter.find_user(username="another_name", email="") is None


def test_an_email_of_two_people_is_nobodys(airflow: Airflow, granter: Airflow) -> None:
    """Airflow takes the same address twice when it is spelled differently."""
    name = unique("twin")
    for spelling in (name, name.upper()):
        create(airflow, email=f"{spelling}@example.com")
    with pytest.raises(Conflict, match="several users"):
        granter.find_user(username="another_name", email=f"{name.title()}@example.com")
    for spelling in (name, name.upper()):
        exact = granter.find_user(username="another_name", email=f"{spelling}@example.com")
        assert exact is not None
        assert exact.email == f"{spelling}@example.com"


@pytest.mark.everywhere
@pytest.mark.separate
def test_the_runner_has_no_say_over_people(runner: Airflow, person: str) -> None:
    for call in (
        lambda: runner.user(person),
        lambda: list(runner.users()),
        lambda: runner.set_roles(person, ["Op"]),
        lambda: runner.delete_user(person),
        lambda: create(runner),
    ):
        with pytest.raises(Forbidden, match="it needs can_"):
            call()
