"""Second looks: what Airflow shows of a grant some time after it was given or taken away, and what follows from it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from portal.access import grants, looks
from portal.access.models import Grant
from portal.access.permissions import check_can_retry
from portal.audit.verbs import Verb
from portal.audit.verify import verify
from portal.core.errors import Conflict
from portal.operations.models import Operation
from tests import factories

DAG = "demo/dag/sales_report/view"
SECONDS = timedelta(seconds=1)


@pytest.fixture
def clock():
    """Stands still until a test moves it."""
    with time_machine.travel(timezone.now(), tick=False) as moved:
        yield lambda seconds: moved.shift(seconds)


@pytest.fixture
def member(clock, airflow):
    """employee has an account in Airflow already."""
    airflow.add_user("employee", roles=["Public"])
    return airflow


@pytest.fixture
def active(member):
    return factories.grant_at_status("active", duration=timedelta(hours=8))


@pytest.fixture
def ended(active, cast):
    grants.hand_back(grant_id=active.pk, by=cast["employee"])
    factories.work_off()
    return fresh(active)


def fresh(grant):
    return Grant.objects.get(pk=grant.pk)


def take(airflow, role):
    airflow.state.users["employee"].roles.remove(role)


def give(airflow, role):
    airflow.state.users["employee"].roles.append(role)


def look():
    """The looks that are due, and what they lead to."""
    factories.look_at_due()
    return factories.work_off()


def reads(airflow):
    return len(airflow.calls("GET /auth/fab/v1/users/employee"))


# --- when ------------------------------------------------------------------------------------------------------------
def test_live_grants_are_looked_at_after_10_and_90_seconds_and_then_in_rounds(member, active, clock):
    begun = timezone.now()
    moments = []
    for _ in range(5):
        moments.append((fresh(active).look_at - begun) / SECONDS)
        clock(fresh(active).look_at - timezone.now())
        look()
    assert moments == [10, 90, 690, 1290, 1890]
    assert fresh(active).status == "active"


def test_ended_grants_are_looked_at_often_for_ten_minutes_and_hourly_for_a_week(member, ended, clock):
    begun = timezone.now()
    moments = []
    while (due := fresh(ended).look_at) is not None:
        moments.append((due - begun) / SECONDS)
        clock(due - timezone.now())
        look()
    assert moments[:6] == [10, 90, 240, 420, 570, 4170]
    assert timedelta(days=7) <= moments[-1] * SECONDS <= timedelta(days=7, hours=2)


def test_nothing_is_asked_before_it_is_due(member, active):
    before = reads(member)
    factories.look_at_due()
    assert reads(member) == before


def test_one_request_for_all_grants_of_one_account(member, active, clock):
    factories.grant_at_status("active", entitlement="demo/role/Viewer")
    clock(11)
    before = reads(member)
    factories.look_at_due()
    assert reads(member) == before + 1


def test_an_airflow_that_is_away_is_asked_later(member, active, clock):
    clock(11)
    member.stop()
    factories.look_at_due()
    assert fresh(active).missing_since is None
    assert fresh(active).look_at > timezone.now()
    factories.observe(status="down")
    clock(3600)
    factories.look_at_due()
    assert fresh(active).look_at > timezone.now()


@pytest.mark.parametrize("waiting", ["restore_role", "remove_again"])
def test_what_waits_for_an_operation_is_looked_at_less_and_less_often(member, active, clock, cast, waiting):
    if waiting == "restore_role":
        take(member, "User")
    else:
        grants.hand_back(grant_id=active.pk, by=cast["employee"])
        factories.work_off()
        give(member, "User")
    begun, count = timezone.now(), 0
    while timezone.now() < begun + 7200 * SECONDS:
        clock(fresh(active).look_at - timezone.now())
        factories.look_at_due()
        count += 1
    assert Operation.objects.get(kind=waiting).status == "queued"
    assert 5 < count < 40


@pytest.mark.parametrize("name", ["active", "ended"])
def test_the_count_of_looks_stays_small(member, clock, request, name):
    """The column holds 32767 at most."""
    grant = request.getfixturevalue(name)
    for _ in range(10):
        clock(fresh(grant).look_at - timezone.now())
        look()
    assert fresh(grant).looks <= len(looks.ENDED_AFTER)


# --- live ------------------------------------------------------------------------------------------------------------
def test_a_role_taken_away_by_hand_is_given_again(member, active, clock):
    take(member, "User")
    clock(11)
    before = len(factories.verbs())
    factories.look_at_due()
    assert fresh(active).missing_since == timezone.now()
    factories.work_off()
    assert member.roles_of("employee") == {"Public", "User"}
    assert factories.verbs(before) == [Verb.GRANT_MISSING, Verb.ROLES_CHANGED, Verb.GRANT_GIVEN_AGAIN]
    given = fresh(active)
    assert (given.status, given.missing_since, given.given_again) == ("active", None, 1)
    assert given.ends_at == active.ends_at  # its time goes on
    assert given.look_at == timezone.now() + 10 * SECONDS


def test_after_the_third_time_it_is_left_to_admins(member, active, clock, cast):
    for _ in range(3):
        take(member, "User")
        clock(11)
        look()
        assert "User" in member.roles_of("employee")
    take(member, "User")
    clock(11)
    look()
    left = fresh(active)
    assert left.left_at is not None and left.status == "active"
    assert factories.verbs()[-1] == Verb.GRANT_LEFT_TO_ADMINS
    clock(3600)
    look()
    assert member.roles_of("employee") == {"Public"}
    assert factories.verbs().count(Verb.GRANT_LEFT_TO_ADMINS) == 1

    check_can_retry(cast["admin"], left)
    grants.retry(grant_id=active.pk, by=cast["admin"])
    factories.work_off()
    assert "User" in member.roles_of("employee")
    assert (fresh(active).left_at, fresh(active).given_again) == (None, 1)
    assert verify().ok, verify().problems


def test_only_what_failed_or_was_left_is_tried_again(member, active, cast):
    with pytest.raises(Conflict):
        grants.retry(grant_id=active.pk, by=cast["admin"])


def test_what_an_admin_gave_back_in_airflow_is_no_longer_missing(member, active, clock):
    Grant.objects.update(given_again=3)
    take(member, "User")
    clock(11)
    look()
    give(member, "User")
    clock(3600)
    look()
    assert fresh(active).left_at is None and fresh(active).missing_since is None
    assert factories.verbs()[-1] == Verb.GRANT_FOUND_AGAIN


def test_a_role_that_airflow_no_longer_has_is_left_to_admins_with_the_reason(member, active, clock):
    member.state.delete_role("User")
    clock(11)
    look()
    assert fresh(active).left_at is not None
    assert "User" in fresh(active).failure


def test_a_role_for_a_dag_that_was_deleted_is_made_and_given_again(member, clock):
    active = factories.grant_at_status("active", entitlement=DAG)
    member.state.delete_role(active.role)
    clock(11)
    look()
    assert active.role in member.roles_of("employee")
    assert fresh(active).given_again == 1


def test_an_account_that_was_deleted_is_made_again_where_accounts_are_made(member, active, clock):
    del member.state.users["employee"]
    clock(11)
    look()
    assert member.roles_of("employee") == {"User"}
    assert fresh(active).given_again == 1


def test_a_grant_that_ends_before_it_is_given_again_is_not_given(member, active, clock, cast):
    take(member, "User")
    clock(11)
    factories.look_at_due()
    grants.hand_back(grant_id=active.pk, by=cast["employee"])
    factories.work_off()
    assert fresh(active).status == "ended"
    assert member.roles_of("employee") == {"Public"}


def test_what_was_seen_before_the_grant_was_given_says_nothing(member, active):
    looks.look(active.pk, looks.Seen(timezone.now() - SECONDS, frozenset()))
    assert not Operation.objects.filter(kind="restore_role").exists()


def test_an_answer_from_before_a_later_look_says_nothing(member, active, clock):
    """Two workers asked; the slower one's answer is of before the role was given again."""
    take(member, "User")
    clock(11)
    slow = looks.Seen(timezone.now(), frozenset({"Public"}))
    clock(1)
    look()
    looks.look(active.pk, slow)
    assert fresh(active).given_again == 1 and fresh(active).missing_since is None
    assert factories.verbs().count(Verb.GRANT_MISSING) == 1
    assert not Operation.objects.filter(status="queued").exists()


def test_an_account_that_is_deactivated_is_said_once(member, active, clock):
    member.state.users["employee"].active = False
    for _ in range(3):
        clock(3600)
        look()
    assert fresh(active).unusable_since is not None
    assert factories.verbs().count(Verb.GRANT_UNUSABLE) == 1
    member.state.users["employee"].active = True
    clock(3600)
    look()
    assert fresh(active).unusable_since is None and factories.verbs()[-1] == Verb.GRANT_USABLE


def test_the_id_of_an_account_is_learnt_by_looking(member, active, clock):
    Grant.objects.update(airflow_user_id="")
    clock(11)
    look()
    assert fresh(active).airflow_user_id == member.state.users["employee"].created_on


def test_the_id_of_an_account_that_is_somebody_elses_by_now_is_not_learnt(member, active, clock):
    Grant.objects.update(airflow_user_id="")
    member.state.users["employee"].email = "someone.else@example.com"
    clock(11)
    look()
    assert fresh(active).airflow_user_id == ""


# --- ended -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seconds", [11, 100, 500])
def test_what_comes_back_within_ten_minutes_is_taken_away_again(member, ended, clock, seconds):
    """A change that Airflow received a minute after it was sent, for example."""
    while fresh(ended).look_at < ended.ended_at + seconds * SECONDS:
        clock(fresh(ended).look_at - timezone.now())
        look()
    before = len(factories.verbs())
    give(member, "User")
    clock(fresh(ended).look_at - timezone.now())
    factories.look_at_due()
    assert fresh(ended).back_since == timezone.now()
    factories.work_off()
    assert member.roles_of("employee") == {"Public"}
    assert factories.verbs(before) == [Verb.GRANT_CAME_BACK, Verb.ROLES_CHANGED, Verb.GRANT_TAKEN_AGAIN]
    again = fresh(ended)
    assert (again.status, again.ended_at, again.back_since) == ("ended", ended.ended_at, None)
    assert again.look_at == timezone.now() + 10 * SECONDS


def test_what_comes_back_later_is_reported_once_and_stays(member, ended, clock):
    clock(3600)
    look()
    give(member, "User")
    for _ in range(3):
        clock(3600)
        look()
    assert "User" in member.roles_of("employee")
    assert fresh(ended).back_since is not None
    assert factories.verbs().count(Verb.GRANT_CAME_BACK_LATE) == 1
    take(member, "User")
    clock(3600)
    look()
    assert fresh(ended).back_since is None and factories.verbs()[-1] == Verb.GRANT_GONE_AGAIN


def test_a_role_that_another_grant_requires_has_not_come_back(member, ended, clock):
    other = factories.grant_at_status("active")
    clock(11)
    look()
    assert fresh(other).status == "active" and "User" in member.roles_of("employee")
    assert Verb.GRANT_CAME_BACK not in factories.verbs()


def test_a_role_whose_removal_is_settled_during_the_look_has_not_come_back(member, ended, clock, cast):
    other = factories.grant_at_status("active")
    grants.hand_back(grant_id=other.pk, by=cast["employee"])
    clock(11)
    seen = looks.Seen(timezone.now(), frozenset({"Public", "User"}))
    meanwhile = []

    def settle_first(execute, sql, params, many, context):
        if 'MIN("operations_operation"' in sql and not meanwhile:
            meanwhile.append(sql)
            factories.work_off()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(settle_first):
        looks.look(ended.pk, seen)
    assert meanwhile and fresh(other).status == "ended"
    assert Verb.GRANT_CAME_BACK not in factories.verbs()
    assert not Operation.objects.filter(kind="remove_again").exists()


def test_of_several_ended_grants_the_last_one_is_looked_at(member, ended, clock, cast):
    clock(1)
    again = factories.grant_at_status("active")
    grants.hand_back(grant_id=again.pk, by=cast["employee"])
    factories.work_off()
    give(member, "User")
    clock(20)
    look()
    assert factories.verbs().count(Verb.GRANT_CAME_BACK) == 1
    assert fresh(ended).look_at is None
    assert member.roles_of("employee") == {"Public"}


def test_a_late_change_of_a_grant_that_failed_is_taken_away_again(member, clock):
    member.fail_next("PATCH /auth/fab/v1/users/employee", "ignore", times=99)
    grant = factories.grant_at_status("applying")
    while fresh(grant).status != "failed":
        Operation.objects.filter(status="queued").update(not_before=timezone.now())
        factories.work_off()
    member._failures.clear()
    give(member, "User")
    clock(11)
    look()
    assert fresh(grant).status == "failed"
    assert member.roles_of("employee") == {"Public"}


def test_a_removal_that_could_not_be_done_yet_is_not_asked_for_twice(member, ended, clock):
    give(member, "User")
    clock(11)
    factories.look_at_due()
    clock(11)
    factories.look_at_due()
    assert Operation.objects.filter(kind="remove_again").count() == 1


# --- restored databases ----------------------------------------------------------------------------------------------
def test_an_airflow_whose_database_was_restored_gets_what_is_live_and_what_ended_is_reported(
    member, active, clock, cast
):
    old = factories.grant_at_status("active", entitlement="demo/role/Viewer")
    grants.hand_back(grant_id=old.pk, by=cast["employee"])
    factories.work_off()
    clock(3600)
    look()
    member.state.users["employee"].roles[:] = ["Public", "Viewer"]  # as it was before
    for _ in range(2):
        clock(3600)
        look()
    assert member.roles_of("employee") == {"Public", "Viewer", "User"}
    assert fresh(active).given_again == 1
    assert fresh(old).back_since is not None
