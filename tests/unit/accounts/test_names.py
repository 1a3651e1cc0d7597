"""One folding decides who is who, on both databases; what looks like a name that is there is refused."""

from __future__ import annotations

import unicodedata

import pytest
from django.core.management import CommandError
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor
from hypothesis import given
from hypothesis import strategies as st

from accounts import people, roles, tokens
from accounts.enrolment import enrol
from accounts.models import GroupName, RoleAssignment, User
from accounts.operator import Operator
from accounts.permissions import Role
from portal.access.models import AccessRequest
from portal.core.errors import Invalid
from portal.core.lookalikes import looks
from portal.core.text import fold
from tests import factories
from tests.factories import PASSWORD

BY = Operator("root")
TOKEN = f"gh_abcdefghijkl_{'A1' * 19}"
DECOMPOSED = unicodedata.normalize("NFD", "zoé")
TWINS = [("zoé", "ZOÉ"), ("straße", "STRASSE"), ("leadx", "ｌｅａｄｘ"), ("ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ"), ("ﬁona", "FIONA")]
ALIKE = [
    ("paypal", "pаypal"),  # Cyrillic а
    ("pаypal", "paypal"),
    ("gatehouse-x", "gatehouse-х"),
    ("BOB", "ВОВ".replace("В", "B", 1)),
    ("omicron", "οmicron"),  # Greek ο
    ("isa", "ısa"),  # dotless i
    ("naïve", "nаïve"),
]


@given(st.text())
def test_ascii_is_folded_as_everything_else(text):
    slow = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    assert fold(text) == slow
    assert fold(fold(text)) == fold(text)


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "twin"), TWINS)
def test_a_person_is_found_in_any_spelling(name, twin, client):
    person = enrol(by=BY, username=name, password=PASSWORD, groups=["data"]).user
    assert people.by_username(twin) == people.by_username(f" {name} ") == person
    assert people.members([f"user:{twin}"]) == [person]
    assert people.is_one_of(person, [f"user:{twin}"])
    roles.assign({(Role.AUDITOR, f"user:{twin}")})
    assert Role.AUDITOR in roles.roles_of(person)
    assert client.post("/login", {"login": twin, "password": PASSWORD}).status_code == 302
    assert client.session["_auth_user_id"] == str(person.pk)
    assert User.objects.get_by_natural_key(twin) == person


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "twin"), TWINS)
def test_nobody_is_added_or_changed_under_another_spelling(name, twin):
    enrol(by=BY, username=name)
    with pytest.raises(Invalid, match="is the same name as") as refusal:
        enrol(by=BY, username=twin, email="twin@example.com")
    assert list(refusal.value.fields) == ["username"]
    with pytest.raises(IntegrityError):
        User.objects.create(username=twin)


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "other"), ALIKE)
def test_a_name_that_looks_like_another_ones_is_refused(name, other):
    enrol(by=BY, username=name, groups=[name])
    with pytest.raises(Invalid, match=f"looks like “{name}”"):
        enrol(by=BY, username=other)
    with pytest.raises(Invalid, match=f"looks like “{name}”") as refusal:
        enrol(by=BY, username=name, groups=[other])
    assert list(refusal.value.fields) == ["groups"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["gatehouse", "GateHouse", "ｇatehouse", "gаtehouse", "gatehouse\u3164", "lead\u3164", "ﷺ" * 20, TOKEN]
)
def test_the_portals_own_name_and_what_cannot_be_seen_are_refused(name):
    with pytest.raises(Invalid):
        enrol(by=BY, username=name)


@pytest.mark.django_db
@pytest.mark.parametrize("name", [TOKEN, "\u2800", "data\u2800"])
def test_a_group_name_contains_no_token_and_no_invisible_character(name):
    with pytest.raises(Invalid) as refusal:
        enrol(by=BY, username="nina", groups=[name])
    assert list(refusal.value.fields) == ["groups"] and "A1A1" not in str(refusal.value)


@pytest.mark.django_db
@pytest.mark.parametrize("names", [("lead1", "leadl"), ("zoe", "zoé"), ("иван", "ivan"), ("데이터-team", "data-team")])
def test_distinguishable_names_are_allowed(names):
    for name in names:
        assert enrol(by=BY, username=name).created


@pytest.mark.django_db
def test_groups_are_the_same_in_any_spelling():
    person = enrol(by=BY, username="nina", groups=["Données"]).user
    assert enrol(by=BY, username="nora", groups=["DONNÉES", unicodedata.normalize("NFD", "données")]).groups == (
        "Données",
    )
    assert GroupName.objects.count() == 1
    assert [one.username for one in people.members(["group:donnÉes"])] == ["nina", "nora"]
    assert people.is_one_of(person, ["group:DONNÉES"])
    roles.assign({(Role.ADMIN, "group:DONNÉES")})
    assert Role.ADMIN in roles.roles_of(person)
    assert set(RoleAssignment.objects.values_list("subject", flat=True)) == {"group:données"}


@pytest.mark.django_db
def test_an_email_address_belongs_to_one_person_in_any_spelling():
    enrol(by=BY, username="zoe", email="zoe@example.com")
    with pytest.raises(Invalid, match="two people cannot share one"):
        enrol(by=BY, username="other", email="ZOE@Example.com")


def test_a_catalogue_may_spell_names_differently(cast, tmp_path):
    """Who may ask, who decides, whose token, for whom."""
    text = (
        factories.CATALOGUE.read_text().replace("data-leads", "Data-Leads").replace('"group:data"', '"user:EMPLOYEE"')
    )
    factories.offer(tmp_path, source=text)
    request = factories.request_at_status("pending", entitlement="demo/dag/sales_report/view")
    assert [approver.subject for stage in request.stages.all() for approver in stage.approvers.all()] == [
        "group:Data-Leads"
    ]
    factories.approve_fully(request)
    assert AccessRequest.objects.get().status == "approved"
    assert "decide" in tokens.allowed_scopes(cast["lead"])


@pytest.mark.parametrize("text", ["group:Zoé", DECOMPOSED])
def test_names_that_look_alike_are_the_same_in_every_form(text):
    assert looks(text) == looks(unicodedata.normalize("NFD", text)) == looks(text.upper())


# --- an upgrade ------------------------------------------------------------------------------------------------------
BEFORE, AFTER = [("accounts", "0002_rate_counts")], [("accounts", "0004_one_person_per_name")]


@pytest.fixture
def old(transactional_db):
    """The tables as the release before has them; afterwards they are as they were."""
    MigrationExecutor(connection).migrate([*BEFORE, ("access", "0007_end_read")])
    yield MigrationExecutor(connection).loader.project_state(BEFORE).apps
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_the_migration_fills_in_folded_names(old):
    old.get_model("accounts", "User").objects.create(username="Zoé", email="Zoé@Example.com", password="x")
    old.get_model("auth", "Group").objects.create(name="Données")
    old.get_model("accounts", "RoleAssignment").objects.create(role="admin", subject="group:Données")
    MigrationExecutor(connection).migrate(AFTER)
    person = User.objects.get()
    assert (person.folded, person.looks, person.email_folded) == ("zoé", "zoé", "zoé@example.com")
    assert GroupName.objects.get().folded == "données"
    assert RoleAssignment.objects.get().subject == "group:données"


@pytest.mark.parametrize("what", ["people", "groups"])
def test_the_migration_refuses_names_that_fold_alike(old, what):
    for name in ("leadx", "ｌｅａｄｘ"):
        if what == "people":
            old.get_model("accounts", "User").objects.create(username=name, password="x")
        else:
            old.get_model("auth", "Group").objects.create(name=name)
    with pytest.raises(CommandError, match=r"“leadx” and “ｌｅａｄｘ”\. Of each pair, decide which one"):
        MigrationExecutor(connection).migrate(AFTER)
    model = old.get_model("accounts", "User") if what == "people" else old.get_model("auth", "Group")
    assert model.objects.count() == 2
    model.objects.all().delete()
