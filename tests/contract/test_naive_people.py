"""What happens to a client that takes Airflow's users at their word, and what the bridge does instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_bridge import Airflow, NotFound, Rejected, Unexpected
from tests.contract.people import create
from tests.contract.raw import Raw
from tests.contract.servers import IDLE, Server
from tests.fake_airflow import FakeAirflow
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.once, pytest.mark.needs("users")]

MASK = "?update_mask=roles"


@pytest.fixture
def raw(server: Server) -> Raw:
    return Raw(server, *server.admin)


def complete_user(raw: Raw, username: str, *roles: str) -> dict[str, Any]:
    """All that a user consists of, with these roles, as every generation takes it."""
    user = raw.get(f"/users/{username}").json
    kept = {name: user[name] for name in ("username", "email", "first_name", "last_name")}
    return {**kept, "roles": [{"name": role} for role in roles]}


def roles_of(raw: Raw, username: str) -> set[str]:
    return {role["name"] for role in raw.get(f"/users/{username}").json["roles"]}


@pytest.mark.everywhere
def test_two_who_each_add_a_role_lose_one(raw: Raw, person: str) -> None:
    """Nothing tells the second that somebody was there between its reading and its writing."""
    first, second = complete_user(raw, person, "Viewer", "Op"), complete_user(raw, person, "Viewer", "User")
    assert raw.patch(f"/users/{person}{MASK}", first).status == 200
    assert raw.patch(f"/users/{person}{MASK}", second).status == 200
    assert roles_of(raw, person) == {"Viewer", "User"}


@pytest.mark.everywhere
def test_the_same_role_twice_is_taken_once_or_not_at_all(
    raw: Raw, granter: Airflow, server: Server, person: str
) -> None:
    assert raw.patch(f"/users/{person}{MASK}", complete_user(raw, person, "Op", "Op")).status == 200
    swallowed = server.target.release in ("2.11.2", "3.0.6")
    assert roles_of(raw, person) == ({"Viewer"} if swallowed else {"Op"})
    assert granter.set_roles(person, ["User", "User"]).roles == {"User"}


@pytest.mark.everywhere
def test_no_body_is_right_for_all(raw: Raw, granter: Airflow, server: Server, person: str) -> None:
    alone = raw.patch(f"/users/{person}{MASK}", {"roles": [{"name": "Op"}]})
    blank = raw.patch(f"/users/{person}{MASK}", {**complete_user(raw, person, "Op"), "first_name": ""})
    assert (alone.status, blank.status) == ((200, 422) if server.target.can("fields_alone") else (400, 200))
    assert granter.set_roles(person, ["Viewer", "Op"]).roles == {"Viewer", "Op"}


def test_what_was_set_is_read_back_and_not_tried_out(granter: Airflow, fake: FakeAirflow, person: str) -> None:
    """The person would be refused for up to half a minute more, with a new token, too."""
    fake.requests.clear()
    granter.set_roles(person, ["Op"])
    asked = [request for request in fake.requests if request.account != person]
    assert asked == fake.requests
    assert str(asked[-1]).startswith("GET ")


@pytest.mark.everywhere
def test_nobody_is_switched_off(raw: Raw, granter: Airflow, person: str) -> None:
    assert raw.patch(f"/users/{person}", {**complete_user(raw, person, "Viewer"), "active": False}).status in (400, 422)
    assert raw.get(f"/users/{person}").json["active"] is True
    assert granter.set_roles(person, []).roles == frozenset()


@pytest.mark.everywhere
def test_nobody_is_made_without_a_role(raw: Raw, granter: Airflow, server: Server) -> None:
    name = unique("none")
    body = {"username": name, "email": f"{name}@x.com", "first_name": "A", "last_name": "B", "password": "p"}
    answer = raw.post("/users", {**body, "roles": []})
    if server.target.api == "v2":
        assert answer.status == 500
    else:  # and is given one that nobody asked for
        assert (answer.status, roles_of(raw, name)) == (200, {"Public"})
    with pytest.raises(Rejected, match="at least one role"):
        create(granter, roles=[])


@pytest.mark.everywhere
def test_a_slash_in_a_name_is_for_ever(raw: Raw, granter: Airflow) -> None:
    name = f"{unique('a')}/b"
    body = {"username": name, "email": f"{name}@x.com", "first_name": "A", "last_name": "B", "password": "p"}
    assert raw.post("/users", {**body, "roles": [{"name": "Viewer"}]}).status == 200
    for address in (name, name.replace("/", "%2F")):
        assert raw.get(f"/users/{address}").status == 404
        assert raw.ask("DELETE", f"/users/{address}").status == 404
    user = granter.user(name)
    assert user is not None
    assert user.username == name  # it is found in the list
    with pytest.raises(Rejected, match="cannot address"):
        granter.set_roles(name, ["Op"])
    with pytest.raises(Rejected):
        create(granter, username=name)


@pytest.mark.everywhere
def test_the_name_is_taken_as_it_is_stored(raw: Raw, granter: Airflow, server: Server, person: str) -> None:
    loud = person.upper()
    assert raw.get(f"/users/{loud}").json["username"] == person
    body = complete_user(raw, person, "Op")
    # without the mask, as most would; its own name counts as taken
    assert raw.patch(f"/users/{loud}", body).status == 409
    assert granter.set_roles(loud, ["Op"]).roles == {"Op"}


@pytest.mark.everywhere
def test_a_change_of_roles_leaves_no_date(raw: Raw, granter: Airflow, person: str) -> None:
    before = raw.get(f"/users/{person}").json["changed_on"]
    granter.set_roles(person, ["Op"])
    assert raw.get(f"/users/{person}").json["changed_on"] == before
    user = granter.user(person)
    assert user is not None
    assert not hasattr(user, "changed_on")


@pytest.mark.everywhere
def test_who_wrote_a_note_may_stay_for_ever(airflow: Airflow, server: Server, client: Callable[..., Airflow]) -> None:
    name = unique("writer")
    create(airflow, username=name, email=f"{name}@example.com", password="writer", roles=["Op"])
    writer = client(name, "writer")
    writer.trigger(IDLE, dag_run_id=unique("g__"), note="by a person")
    if server.target.api == "v1":
        with pytest.raises(Unexpected, match="take their roles away instead"):
            airflow.delete_user(name)
        assert airflow.set_roles(name, []).roles == frozenset()
    else:
        airflow.delete_user(name)
        with pytest.raises(NotFound):
            airflow.delete_user(name)


@pytest.mark.everywhere
def test_who_somebody_is_told_by_their_address(raw: Raw, granter: Airflow, person: str) -> None:
    """A second user under a name that was made up would keep the person from signing in."""
    mail = f"{person.title()}@Example.com"
    body = {"username": unique("guess"), "email": mail, "first_name": "A", "last_name": "B", "password": "p"}
    assert raw.post("/users", {**body, "roles": [{"name": "Viewer"}]}).status == 409
    found = granter.find_user(username=body["username"], email=mail.lower())
    assert found is not None
    assert found.username == person
