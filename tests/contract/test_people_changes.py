"""Users: made, changed, given roles and deleted, with the few permissions of the account for access."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_bridge import Airflow, Conflict, Forbidden, NotApplied, NotFound, Rejected, Unauthorised
from tests.contract.people import create
from tests.fake_airflow import FakeAirflow
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.needs("users")]


@pytest.mark.everywhere
def test_a_user_is_made_with_its_roles(granter: Airflow) -> None:
    user = create(granter, roles=["User", "Viewer", "User"])
    assert user.roles == {"User", "Viewer"}
    assert granter.user(user.username) == user


def test_a_made_user_can_sign_in(airflow: Airflow, client: Callable[..., Airflow]) -> None:
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
        ({"password": ""}, "password"),
    ],
)
def test_a_user_that_airflow_cannot_keep_is_rejected(granter: Airflow, changes: dict, field: str) -> None:
    with pytest.raises(Rejected) as caught:
        create(granter, **{"password": "never-to-be-seen", **changes})
    assert caught.value.field == field
    assert "never-to-be-seen" not in str(caught.value)


@pytest.mark.everywhere
def test_a_taken_name_or_email_is_a_conflict(granter: Airflow, person: str) -> None:
    with pytest.raises(Conflict, match=person):
        create(granter, username=person)
    with pytest.raises(Conflict, match=person.upper()):
        create(granter, username=person.upper())
    with pytest.raises(Conflict, match=f"{person.title()}@Example.com"):
        create(granter, email=f"{person.title()}@Example.com")


@pytest.mark.everywhere
@pytest.mark.parametrize("roles", [["Op"], ["Viewer", "User", "Op"], ["Op", "Op"], []])
def test_roles_are_replaced(granter: Airflow, person: str, roles: list[str]) -> None:
    user = granter.set_roles(person, roles)
    assert user.roles == set(roles)
    assert granter.user(person) == user
    assert (user.email, user.first_name, user.last_name) == (f"{person.title()}@Example.com", "Per", "Son")


def test_setting_the_same_roles_again_changes_nothing(granter: Airflow, person: str) -> None:
    assert granter.set_roles(person, ["Viewer", "Op"]) == granter.set_roles(person, ["Op", "Viewer"])


@pytest.mark.everywhere
def test_roles_are_set_under_any_spelling_of_the_name(granter: Airflow, person: str) -> None:
    user = granter.set_roles(person.upper(), ["User"])
    assert (user.username, user.roles) == (person, {"User"})


@pytest.mark.everywhere
def test_all_roles_are_taken_away(granter: Airflow, person: str, client: Callable[..., Airflow]) -> None:
    assert granter.set_roles(person, []).roles == frozenset()
    with pytest.raises((Forbidden, Unauthorised)):
        client(person, "secret-of-the-person").check()


@pytest.mark.everywhere
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


def test_an_airflow_that_says_done_and_does_nothing(granter: Airflow, fake: FakeAirflow, person: str) -> None:
    fake.fail_next("PATCH .*/users/.*", "ignore", times=2)
    with pytest.raises(NotApplied, match="shows Viewer instead of Op"):
        granter.set_roles(person, ["Op"])
    with pytest.raises(NotApplied, match=person):
        granter.update_user(person, email="new@example.com")


@pytest.mark.everywhere
def test_what_is_given_is_changed_and_the_rest_stays(granter: Airflow, person: str) -> None:
    granter.set_roles(person, ["Op", "User"])
    mail = f"{unique('new')}@example.com"
    assert granter.update_user(person, email=mail).email == mail
    user = granter.update_user(person.upper(), first_name="Zoë", last_name="O'Hara")
    assert (user.username, user.email, user.first_name, user.last_name) == (person, mail, "Zoë", "O'Hara")
    assert user.roles == {"Op", "User"}


def test_a_new_password(granter: Airflow, person: str, client: Callable[..., Airflow]) -> None:
    user = granter.update_user(person, password="the new one")
    assert (user.email, user.roles) == (f"{person.title()}@Example.com", {"Viewer"})
    client(person, "the new one").check()
    with pytest.raises(Unauthorised):
        client(person, "secret-of-the-person").check()


def test_changes_that_airflow_does_not_take(granter: Airflow, person: str) -> None:
    other = create(granter)
    with pytest.raises(Conflict, match=other.email):
        granter.update_user(person, email=other.email)
    with pytest.raises(Rejected) as caught:
        granter.update_user(person, last_name="")
    assert caught.value.field == "last_name"
    with pytest.raises(NotFound):
        granter.update_user("nobody_here", last_name="x")
    user = granter.user(person)
    assert user is not None
    assert (user.email, user.last_name) == (f"{person.title()}@Example.com", "Son")


@pytest.mark.everywhere
@pytest.mark.once
def test_a_user_is_deleted(airflow: Airflow, person: str) -> None:
    airflow.delete_user(person.upper())
    assert airflow.user(person) is None
    with pytest.raises(NotFound):
        airflow.delete_user(person)
    with pytest.raises(Rejected):
        airflow.delete_user("no/body")


@pytest.mark.everywhere
@pytest.mark.separate
def test_the_granter_deletes_nobody(granter: Airflow, person: str) -> None:
    with pytest.raises(Forbidden, match="can_delete on Users"):
        granter.delete_user(person)
    assert granter.user(person) is not None
