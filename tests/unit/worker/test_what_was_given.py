"""What Airflow has after something went wrong on the way: no role is held without a grant that says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.models import User
from portal.access import grants, outcomes, upkeep
from portal.access.models import AccessRequest, Grant
from portal.airflow import health
from portal.airflow.models import AirflowAccount
from portal.approvals.timeline import timeline
from portal.audit.models import AuditEvent
from portal.audit.presenters import sentence
from portal.audit.verbs import Verb
from portal.audit.verify import verify
from portal.catalogue.models import Deployment, Entitlement
from portal.core.errors import Conflict, Refused
from portal.operations import kinds
from portal.operations.models import Operation
from portal.worker import executor
from tests import factories

PATCH = "PATCH /auth/fab/v1/users/employee"
READ = "GET /auth/fab/v1/users/employee"
HOURS = timedelta(hours=1)


def fresh(grant):
    return Grant.objects.get(pk=grant.pk)


def operations_of(grant, kind):
    return Operation.objects.filter(subject=grant.ref, kind=kind)


def execute(operation):
    Operation.objects.filter(pk=operation.pk).update(not_before=timezone.now())
    factories.observe(status="up")
    factories.attempt(operation.pk)


# --- nothing is failed while the role is held ------------------------------------------------------------------------
def test_what_was_saved_but_could_not_be_read_back_is_taken_away_before_it_failed(member, cast):
    grant = factories.grant_at_status("applying")
    member.fail_next(PATCH, "drop", times=99)
    operation = operations_of(grant, "grant_role").get()
    execute(operation)
    assert "User" in member.roles_of("employee")
    member.fail_next(READ, "500", times=10_000)
    for _ in range(60):
        if fresh(grant).status != "applying":
            break
        execute(operation)
    given_up = fresh(grant)
    assert (given_up.status, given_up.end_reason) == ("ending", "")
    assert factories.verbs()[-1] == Verb.GRANT_GIVEN_UP
    factories.work_on()
    assert fresh(grant).status == "ending"  # nothing is known: it is not called failed
    titles = [step.title for step in timeline(AccessRequest.objects.get())]
    assert any("taken away" in title for title in titles)
    member._failures.clear()
    factories.work_on()
    assert fresh(grant).status == "failed" and fresh(grant).failure
    assert member.roles_of("employee") == {"Public"}
    assert factories.verbs()[-1] == Verb.GRANT_FAILED
    assert verify().ok, verify().problems


@pytest.mark.parametrize("ends_first", [True, False])
def test_a_role_left_for_a_grant_that_then_fails_is_taken_away(member, cast, ends_first):
    held = factories.grant_at_status("active")
    waiting = factories.grant_at_status("applying")
    grants.revoke(grant_id=held.pk, by=cast["lead"], reason="over")
    removal, giving = operations_of(held, "revoke_role").get(), operations_of(waiting, "grant_role").get()
    member.state.users["employee"].email = "elsewhere@example.com"  # nobody's account is given anything now
    for operation in (removal, giving) if ends_first else (giving, removal):
        execute(operation)
    factories.work_on()
    assert (fresh(held).status, fresh(waiting).status) == ("ended", "failed")
    assert "its e-mail address is not the one of" in fresh(waiting).failure
    assert member.roles_of("employee") == {"Public"}


def test_a_role_left_for_a_grant_that_is_ended_meanwhile_is_taken_away(member, cast):
    """The removal has read that the other grant requires the role; that one is given up before it is settled."""
    held = factories.grant_at_status("active")
    waiting = factories.grant_at_status("applying")
    grants.revoke(grant_id=held.pk, by=cast["lead"], reason="over")
    kind = kinds.get("revoke_role")
    operation = operations_of(held, "revoke_role").get()
    done = kind.handler.execute(operation)
    assert "User" in done.after["roles"]
    Grant.objects.filter(pk=waiting.pk).update(apply_by=timezone.now())
    assert upkeep.give_up_overdue() == 1
    assert fresh(waiting).status == "failed"
    with pytest.raises(executor.RetryLater):
        executor._settle(operation, kind, done)
    factories.work_on()
    assert fresh(held).status == "ended"
    assert member.roles_of("employee") == {"Public"}


def test_what_was_held_outside_the_portal_stays_when_nothing_was_sent(airflow, cast):
    airflow.add_user("employee", roles=["User"], email="someone.else@example.com")
    grant = factories.grant_at_status("applying")
    factories.work_on()
    assert fresh(grant).status == "failed"
    assert not operations_of(grant, "revoke_role").exists()
    assert airflow.roles_of("employee") == {"User"}


def test_a_failed_grant_that_is_tried_again_is_given(member, cast):
    grant = factories.grant_at_status("applying")
    member.state.users["employee"].email = "elsewhere@example.com"
    factories.work_on()
    member.state.users["employee"].email = "employee@example.com"
    grants.retry(grant_id=grant.pk, by=cast["admin"])
    factories.work_on()
    assert fresh(grant).status == "active" and "User" in member.roles_of("employee")


def test_a_grant_that_ends_before_it_was_sent_takes_away_nothing_held_by_other_means(member, cast):
    """Its own removal comes first as a rule; here another change of the person's roles does."""
    member.state.users["employee"].roles.append("User")
    ending = factories.grant_at_status("applying")
    other = factories.grant_at_status("applying", entitlement="demo/role/Viewer")
    grants.hand_back(grant_id=ending.pk, by=cast["employee"])
    assert fresh(ending).sent_at is None
    execute(operations_of(other, "grant_role").get())
    assert fresh(other).status == "active"
    assert member.roles_of("employee") == {"Public", "User", "Viewer"}


def test_a_grant_that_ends_before_it_was_sent_says_nothing_of_what_airflow_shows(member, cast):
    factories.grant_at_status("active")
    grant = factories.grant_at_status("applying")
    grants.hand_back(grant_id=grant.pk, by=cast["employee"])
    said = factories.verbs()
    factories.work_on()
    assert fresh(grant).status == "ended" and "User" in member.roles_of("employee")
    assert timeline(fresh(grant).request)[-1].title == "Handed back; nothing had been given in Airflow"
    assert factories.verbs()[len(said) :] == [Verb.GRANT_ENDED]
    event = AuditEvent.objects.get(verb=Verb.GRANT_ENDED)
    assert sentence(event).endswith(": nothing had been given in Airflow on demo")


@pytest.mark.parametrize("lacking", ["an account", "an e-mail address"])
def test_where_no_account_can_be_made_nothing_counts_as_sent(airflow, cast, lacking):
    if lacking == "an account":
        Deployment.objects.update(create_users="never")
    else:
        User.objects.filter(pk=cast["employee"].pk).update(email="")
    grant = factories.grant_at_status("applying")
    factories.work_on()
    assert fresh(grant).status == ("applying" if lacking == "an account" else "failed")
    assert fresh(grant).sent_at is None
    assert not operations_of(grant, "revoke_role").exists()


# --- right before the change -----------------------------------------------------------------------------------------
def leave(cast):
    User.objects.filter(pk=cast["employee"].pk).update(is_active=False)


def lose_the_group(cast):
    cast["employee"].groups.remove(Group.objects.get(name="data"))


def withdraw_the_offer(cast):
    Entitlement.objects.filter(key="demo/role/User").update(retired_at=timezone.now())


@pytest.mark.parametrize(
    ("change", "reason"), [(leave, "leaver"), (lose_the_group, "not_eligible"), (withdraw_the_offer, "not_eligible")]
)
@pytest.mark.parametrize("status", ["applying", "scheduled"])
def test_whoever_may_not_hold_it_by_then_is_not_given_it(member, cast, change, reason, status):
    grant = factories.grant_at_status(status, **({"starts_in": HOURS} if status == "scheduled" else {}))
    change(cast)
    with time_machine.travel(timezone.now() + (2 * HOURS if status == "scheduled" else timedelta()), tick=False):
        grants.start_due()
        factories.work_on()
    ended = fresh(grant)
    assert (ended.status, ended.end_reason) == ("ended", reason)
    assert "employee" in ended.end_comment or "no longer offered" in ended.end_comment
    assert not member.calls(PATCH)
    assert {Verb.GRANT_LEAVER, Verb.GRANT_NOT_ELIGIBLE} & set(factories.verbs())


def test_the_last_check_is_right_before_the_change(cast, catalogue):
    """Between the first check and the change, the person left."""
    grant = factories.grant_at_status("applying")
    outcomes.check_may_be_given(grant)
    leave(cast)
    with pytest.raises(Refused):
        outcomes.prepare_change(grant, outcomes.Account("employee"))
    assert fresh(grant).sent_at is None


def test_a_grant_that_ended_meanwhile_is_not_sent(member, cast):
    grant = factories.grant_at_status("applying")
    grants.hand_back(grant_id=grant.pk, by=cast["employee"])
    with pytest.raises(Conflict):
        outcomes.prepare_change(grant, outcomes.Account("employee"))
    assert fresh(grant).sent_at is None
    factories.work_on()
    assert fresh(grant).status == "ended" and not member.calls(PATCH)


@pytest.mark.parametrize("airflow_is_back", [True, False])
def test_what_could_not_be_given_in_time_is_given_up(member, cast, airflow_is_back):
    member.stop()
    grant = factories.grant_at_status("applying")
    factories.work_off()
    with time_machine.travel(timezone.now() + timedelta(minutes=61), tick=False):
        if airflow_is_back:
            member.start()
            health.check(Deployment.objects.get())
            factories.work_off()
        else:
            assert upkeep.give_up_overdue() == 1
            member.start()
            health.check(Deployment.objects.get())
            factories.work_off()
    assert fresh(grant).status == "failed"
    assert "could not be given within 1 hour" in fresh(grant).failure
    assert member.roles_of("employee") == {"Public"}
    assert not Operation.objects.filter(status__in=["queued", "running"]).exists()


@pytest.mark.parametrize(("late", "status"), [(timedelta(minutes=59), "active"), (48 * HOURS, "failed")])
def test_what_starts_later_is_given_in_time_after_its_start_or_never(member, cast, late, status):
    """After an outage of Gatehouse itself."""
    grant = factories.grant_at_status("scheduled", starts_in=HOURS)
    with time_machine.travel(grant.starts_at + late, tick=False):
        assert grants.start_due() == 1
        factories.work_on()
    assert fresh(grant).status == status
    assert ("User" in member.roles_of("employee")) == (status == "active")


def test_what_waits_in_time_is_not_given_up(member, cast):
    factories.grant_at_status("applying")
    assert upkeep.give_up_overdue() == 0


# --- while it lives --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("change", "reason"), [(leave, "leaver"), (lose_the_group, "not_eligible")])
def test_whoever_may_not_hold_it_any_more_loses_it(member, cast, change, reason):
    grant = factories.grant_at_status("active")
    assert upkeep.end_ineligible() == 0
    change(cast)
    assert upkeep.end_ineligible() == 1
    factories.work_on()
    assert (fresh(grant).status, fresh(grant).end_reason) == ("ended", reason)
    assert member.roles_of("employee") == {"Public"}


def test_a_turn_ends_a_bounded_number_over_all_policies(member, cast, monkeypatch):
    monkeypatch.setattr(upkeep, "BATCH", 2)
    held = [factories.grant_at_status("active", entitlement=f"demo/role/{role}") for role in ("User", "Viewer")]
    held.append(factories.grant_at_status("active", by="colleague"))
    assert len({grant.entitlement.policy for grant in held}) == 2
    User.objects.filter(pk=cast["colleague"].pk).update(is_active=False)
    lose_the_group(cast)
    assert [upkeep.end_ineligible() for _ in range(3)] == [2, 1, 0]


def test_a_grace_lets_it_stay_for_a_while(member, cast, tmp_path):
    text = factories.CATALOGUE.read_text().replace("[policies.one-lead]\n", '[policies.one-lead]\ngrace = "1d"\n')
    factories.offer(tmp_path, url=member.url, source=text)
    grant = factories.grant_at_status("active", duration=72 * HOURS)
    lose_the_group(cast)
    assert upkeep.end_ineligible() == 0
    assert fresh(grant).ineligible_since is not None
    cast["employee"].groups.add(Group.objects.get(name="data"))
    assert upkeep.end_ineligible() == 0
    assert fresh(grant).ineligible_since is None
    lose_the_group(cast)
    upkeep.end_ineligible()
    with time_machine.travel(timezone.now() + 25 * HOURS, tick=False):
        assert upkeep.end_ineligible() == 1
    assert fresh(grant).end_reason == "not_eligible"


def test_what_is_offered_no_more_lives_on_by_the_policy_it_was_granted_under(member, cast):
    grant = factories.grant_at_status("active")
    withdraw_the_offer(cast)
    assert upkeep.end_ineligible() == 0
    lose_the_group(cast)
    assert upkeep.end_ineligible() == 1
    assert fresh(grant).status == "ending"


# --- the account -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("active", [False, None])
def test_a_deactivated_account_is_not_given_anything_until_it_is_active(member, cast, active):
    member.state.users["employee"].active = active
    grant = factories.grant_at_status("applying")
    factories.work_on()
    assert fresh(grant).status == "applying" and not member.calls(PATCH)
    notes = " ".join(step.note for step in timeline(AccessRequest.objects.get()))
    assert "is deactivated" in notes
    member.state.users["employee"].active = True
    factories.work_on()
    assert fresh(grant).status == "active"


def rename(airflow, name="e.mployee", email="new@example.com"):
    user = airflow.state.users["employee"]
    airflow.state.rename_user(user, name)
    user.email = email


def test_a_renamed_account_loses_the_role_under_its_new_name(member, cast):
    grant = factories.grant_at_status("active")
    rename(member)
    member.add_user("employee", roles=["User"], email="another@example.com")  # somebody else has the old name now
    grants.revoke(grant_id=grant.pk, by=cast["lead"], reason="over")
    factories.work_on()
    assert fresh(grant).status == "ended"
    assert member.roles_of("e.mployee") == {"Public"}
    assert member.roles_of("employee") == {"User"}


def test_a_renamed_account_is_given_the_next_role(member, cast):
    factories.grant_at_status("active")
    rename(member, email="employee@example.com")
    factories.grant_at_status("active", entitlement="demo/role/Viewer")
    assert {"User", "Viewer"} <= member.roles_of("e.mployee")
    assert AirflowAccount.objects.get().username == "e.mployee"
    assert Verb.ACCOUNT_RENAMED in factories.verbs()


def test_without_an_id_the_email_finds_a_renamed_account(member, cast):
    grant = factories.grant_at_status("active")
    Grant.objects.update(airflow_user_id="")
    AirflowAccount.objects.update(airflow_id="")
    rename(member, email="Employee@example.com")
    grants.revoke(grant_id=grant.pk, by=cast["lead"], reason="over")
    factories.work_on()
    assert member.roles_of("e.mployee") == {"Public"}


def test_an_account_that_is_gone_holds_nothing(member, cast):
    grant = factories.grant_at_status("active")
    del member.state.users["employee"]
    member.add_user("employee", roles=["User"], email="another@example.com")
    grants.revoke(grant_id=grant.pk, by=cast["lead"], reason="over")
    factories.work_on()
    assert fresh(grant).status == "ended"
    assert member.roles_of("employee") == {"User"}


# --- names -----------------------------------------------------------------------------------------------------------
def test_what_is_taken_away_is_what_was_given(member, cast):
    grant = factories.grant_at_status("active")
    Entitlement.objects.filter(pk=grant.entitlement_id).update(role="Op")  # a later catalogue
    grants.revoke(grant_id=grant.pk, by=cast["lead"], reason="over")
    factories.work_on()
    assert fresh(grant).status == "ended"
    assert member.roles_of("employee") == {"Public"}


def test_a_scheduled_grant_gives_what_is_offered_when_it_starts(member, cast):
    grant = factories.grant_at_status("scheduled", starts_in=HOURS)
    Entitlement.objects.filter(pk=grant.entitlement_id).update(role="Op")
    with time_machine.travel(grant.starts_at, tick=False):
        grants.start_due()
        factories.work_on()
    assert fresh(grant).role == "Op" and "Op" in member.roles_of("employee")
