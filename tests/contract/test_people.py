"""Users: found, made, and given roles, as administrator and with the granter's few permissions."""

from __future__ import annotations

import pytest

from airflow_bridge import Airflow, Conflict, Forbidden, NotFound, Rejected
from tests.real_airflow import unique

pytestmark = pytest.mark.contract


def create(airflow: Airflow, **changes: object):
    name = unique("made")
    person = {
        "username": name,
        "email": f"{name}@example.com",
        "first_name": "A",
        "last_name": "B",
        "password": "x" * 32,
    }
    return airflow.create_user(**{**person, "roles": ["Viewer"], **changes})


def test_a_user_is_read_as_airflow_stores_it(granter: Airflow, person: str) -> None:
    user = granter.user(person)
    assert user is not None
    assert (user.username, user.email) == (person, f"{person.title()}@Example.com")
    assert (user.first_name, user.last_name, user.roles, user.active) == ("Per", "Son", frozenset({"Viewer"}), True)


def test_a_user_is_found_in_any_case_and_named_as_stored(granter: Airflow, person: str) -> None:
    user = granter.user(person.upper())
    assert user is not None
    assert user.username == person


@pytest.mark.parametrize("name", ["nobody_here", "no/body", "", ".", "..", "na me", "näme", "50%", "a?b", "a#b"])
def test_nobody_is_nobody(granter: Airflow, name: str) -> None:
    assert granter.user(name) is None


def test_the_list_has_everybody_once(granter: Airflow, server, person: str) -> None:
    names = [user.username for user in granter.users()]
    assert {person, server.admin[0]} <= set(names)
    assert len(names) == len(set(names))


def test_the_list_is_read_to_its_end(airflow: Airflow, granter: Airflow) -> None:
    """More than Airflow gives at once, whatever was asked for."""
    made = {create(airflow).username for _ in range(101)}
    assert made <= {user.username for user in granter.users()}


def test_find_by_name_first(granter: Airflow, person: str, server) -> None:
    found = granter.find_user(username=person, email=f"{server.admin[0]}@example.com")
    assert found is not None
    assert found.username == person


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


def test_a_user_is_made_with_its_roles(granter: Airflow) -> None:
    user = create(granter, roles=["User", "Viewer", "User"])
    assert user.roles == {"User", "Viewer"}
    assert granter.user(user.username) == user


def test_a_made_user_can_sign_in(airflow: Airflow, client) -> None:
    user = create(airflow, password="the right one", roles=["Viewer"])
    client(user.username, "the right one").check()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"roles": []}, "roles"),
        ({"roles": ["No such role"]}, "roles"),
        ({"roles": ["viewer"]}, "roles"),
        ({"username": ""}, "username"),
        ({"username": "with/slash"}, "username"),
        ({"email": ""}, "email"),
        ({"first_name": ""}, "first_name"),
    ],
)
def test_a_user_that_airflow_cannot_keep_is_rejected(granter: Airflow, changes: dict, field: str) -> None:
    with pytest.raises(Rejected) as caught:
        create(granter, password="never-to-be-seen", **changes)
    assert caught.value.field == field
    assert "never-to-be-seen" not in str(caught.value)


def test_a_taken_name_or_email_is_a_conflict(granter: Airflow, person: str) -> None:
    with pytest.raises(Conflict, match=person):
        create(granter, username=person)
    with pytest.raises(Conflict, match=r"already taken"):
        create(granter, email=f"{person.title()}@Example.com")


@pytest.mark.parametrize("roles", [["Op"], ["Viewer", "User", "Op"], ["Op", "Op"], []])
def test_roles_are_replaced(granter: Airflow, person: str, roles: list[str]) -> None:
    user = granter.set_roles(person, roles)
    assert user.roles == set(roles)
    assert granter.user(person) == user


def test_setting_the_same_roles_again_changes_nothing(granter: Airflow, person: str) -> None:
    assert granter.set_roles(person, ["Viewer", "Op"]) == granter.set_roles(person, ["Op", "Viewer"])


def test_roles_are_set_under_any_spelling_of_the_name(granter: Airflow, person: str) -> None:
    user = granter.set_roles(person.upper(), ["User"])
    assert (user.username, user.roles) == (person, {"User"})


def test_an_unknown_role_changes_nothing(granter: Airflow, person: str) -> None:
    with pytest.raises(Rejected, match="No such role") as caught:
        granter.set_roles(person, ["Op", "No such role"])
    assert caught.value.field == "roles"
    user = granter.user(person)
    assert user is not None
    assert user.roles == {"Viewer"}


def test_roles_of_nobody(granter: Airflow) -> None:
    with pytest.raises(NotFound):
        granter.set_roles("nobody_here", ["Viewer"])
    with pytest.raises(Rejected):
        granter.set_roles("no/body", ["Viewer"])


def test_the_runner_has_no_say_over_people(runner: Airflow, person: str) -> None:
    for call in (
        lambda: runner.user(person),
        lambda: list(runner.users()),
        lambda: runner.set_roles(person, ["Op"]),
        lambda: create(runner),
    ):
        with pytest.raises(Forbidden, match="it needs can_"):
            call()
