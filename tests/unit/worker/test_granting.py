"""Giving and taking roles against an Airflow that is away, slow, lying, changed by others or killed in between."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import Error as DatabaseError
from django.utils import timezone

from airflow_bridge import PasswordAuth, connect, dag_permissions
from portal.access import grants
from portal.access.models import Grant
from portal.airflow import health
from portal.airflow.models import AirflowAccount
from portal.approvals.timeline import timeline
from portal.audit.models import AuditEvent
from portal.audit.presenters import sentence
from portal.audit.verbs import Verb
from portal.audit.verify import verify
from portal.catalogue.models import Deployment
from portal.core.errors import Conflict
from portal.operations import kinds, outbox
from portal.operations.handling import MAX_ATTEMPTS, NotNeeded
from portal.operations.models import Operation
from portal.worker import alarms, executor
from tests import factories

PATCH = "PATCH /(auth/fab|api)/v1/users/.*"
HOURS = timedelta(hours=1)


@pytest.fixture(params=["3.3.2", "2.11.2"])
def release(request):
    """All of this is the same on Airflow 2 and 3."""
    return request.param


def roles(airflow, name="employee"):
    return sorted(airflow.state.users[name].roles)


def the_grant():
    return Grant.objects.get()


def the_operation():
    return Operation.objects.order_by("-pk").first()


def test_a_person_without_an_account_gets_one_with_the_role_and_no_known_password(airflow, cast):
    grant = factories.grant_at_status("active")
    user = airflow.state.users["employee"]
    assert user.roles == ["User"] and user.email == "employee@example.com"
    assert len(user.password) >= 43  # 32 random bytes
    link = AirflowAccount.objects.get()
    assert (link.username, link.created_by_gatehouse) == ("employee", True)
    operation = the_operation()
    assert operation.before == {"user": None, "roles": []}
    assert operation.after == {"user": "employee", "roles": ["User"]}
    assert factories.verbs()[-3:] == [Verb.ACCOUNT_CREATED, Verb.ROLES_CHANGED, Verb.GRANT_ACTIVATED]
    assert user.password not in "".join(AuditEvent.objects.values_list("payload", flat=True))
    assert grant.ends_at - grant.verified_at == grant.duration


def test_roles_given_by_others_stay_through_granting_and_ending(member):
    factories.grant_at_status("ended")
    assert roles(member) == ["Public"]
    assert factories.verbs()[-2:] == [Verb.ROLES_CHANGED, Verb.GRANT_ENDED]


def test_where_no_accounts_are_created_it_waits_for_the_first_sign_in(airflow, cast):
    Deployment.objects.update(create_users="never")
    factories.request_at_status("approved")
    factories.work_off()
    operation = the_operation()
    assert (operation.status, the_grant().status) == ("queued", "applying")
    assert "Sign in there once" in operation.waiting_for
    airflow.add_user("employee", roles=["Public"])
    factories.work_on()
    assert the_grant().status == "active"
    assert roles(airflow) == ["Public", "User"]


def test_an_account_under_another_name_is_found_by_its_email(airflow, cast):
    airflow.add_user("okta_00u1", email="Employee@Example.com", roles=["Public"])
    factories.grant_at_status("active")
    assert roles(airflow, "okta_00u1") == ["Public", "User"]
    assert "employee" not in airflow.state.users
    assert AirflowAccount.objects.get().username == "okta_00u1"


def test_somebody_elses_account_of_the_same_name_is_never_given_anything(airflow, cast):
    airflow.add_user("employee", email="someone.else@example.com", roles=["Public"])
    factories.request_at_status("approved")
    factories.work_off()
    assert the_grant().status == "failed"
    assert "its e-mail address is not the one of" in the_grant().failure
    assert roles(airflow) == ["Public"]


def test_a_name_found_before_that_is_somebody_elses_by_now_is_given_nothing(airflow, cast):
    factories.grant_at_status("ended")
    known = AirflowAccount.objects.get().airflow_id
    del airflow.state.users["employee"]
    airflow.add_user("employee", email="someone.else@example.com", roles=["Public"])
    again = factories.grant_at_status("applying")
    factories.work_off()
    again.refresh_from_db()
    assert again.status == "failed" and "its e-mail address is not the one of" in again.failure
    assert roles(airflow) == ["Public"]
    assert AirflowAccount.objects.get().airflow_id == known, "the other account's id is not taken for the person's"


def test_a_name_without_an_email_on_either_side_proves_nothing(airflow, cast):
    airflow.add_user("employee", roles=["Public"]).email = ""
    cast["employee"].email = ""
    cast["employee"].save(update_fields=["email"])
    factories.request_at_status("approved")
    factories.work_off()
    assert the_grant().status == "failed"
    assert roles(airflow) == ["Public"]


def test_airflows_admins_are_not_touched(airflow, cast):
    airflow.add_user("employee", roles=["Admin"])
    factories.request_at_status("approved")
    factories.work_off()
    assert the_grant().status == "failed" and "Admin" in the_grant().failure
    assert roles(airflow) == ["Admin"]
    assert not airflow.calls(PATCH)


def test_an_entitlement_for_admin_itself_gives_and_takes_it(airflow, cast):
    airflow.add_user("lead", roles=["Viewer"])
    factories.grant_at_status("ended", by="lead", entitlement="demo/role/Admin", duration=HOURS)
    assert roles(airflow, "lead") == ["Viewer"]


def test_gatehouses_own_accounts_are_not_touched(airflow, cast):
    cast["employee"].email = "gatehouse-runs@example.com"
    cast["employee"].save(update_fields=["email"])
    before = roles(airflow, "gatehouse-runs")
    factories.request_at_status("approved")
    factories.work_off()
    assert the_grant().status == "failed" and "Gatehouse's own account" in the_grant().failure
    assert roles(airflow, "gatehouse-runs") == before


def test_what_is_in_place_already_is_adopted_and_recorded_so(airflow, cast):
    airflow.add_user("employee", roles=["User"])
    factories.grant_at_status("active")
    assert not airflow.calls(PATCH)
    assert factories.verbs()[-2:] == [Verb.ROLES_CONFIRMED, Verb.GRANT_ACTIVATED]
    grants.hand_back(grant_id=the_grant().pk, by=cast["employee"])
    factories.work_off()
    assert roles(airflow) == []


def test_overlapping_grants_of_one_role_end_with_the_later(airflow, cast):
    first = factories.grant_at_status("active", duration=HOURS)
    second = factories.grant_at_status("active", duration=3 * HOURS)
    with time_machine.travel(first.ends_at + timedelta(seconds=1), tick=False):
        grants.expire_due()
        factories.work_off()
        first.refresh_from_db()
        assert first.status == "ended"
        assert roles(airflow) == ["User"]
        assert timeline(first.request)[-1].title.endswith(f"; the role stayed in Airflow for {second.ref}")
        said = f"{first.ref} has ended, demo/role/User for employee: Airflow on demo keeps the role for {second.ref}"
        assert sentence(AuditEvent.objects.get(verb=Verb.GRANT_ENDED)) == said
    with time_machine.travel(second.ends_at + timedelta(seconds=1), tick=False):
        grants.expire_due()
        factories.work_off()
    second.refresh_from_db()
    assert second.status == "ended"
    assert roles(airflow) == []
    first.refresh_from_db()
    assert timeline(first.request)[-1].title.endswith(f"; the role stayed in Airflow for {second.ref}")
    assert timeline(second.request)[-1].title.endswith("; Airflow confirmed that it is gone")
    assert verify().ok


def test_access_to_one_dag_is_a_role_created_once_and_complete(airflow, cast):
    first = factories.grant_at_status("active", entitlement="demo/dag/sales_report/operate")
    name = first.entitlement.role
    assert airflow.state.roles[name].permissions >= dag_permissions("sales_report", "operate")
    factories.grant_at_status("active", by="colleague", entitlement="demo/dag/sales_report/operate")
    assert len(airflow.calls("POST /(auth/fab|api)/v1/roles")) == 1
    grants.hand_back(grant_id=first.pk, by=cast["employee"])
    factories.work_off()
    assert roles(airflow) == [] and roles(airflow, "colleague") == [name]
    assert name in airflow.state.roles
    assert not airflow.calls("(PATCH|DELETE) /(auth/fab|api)/v1/roles/.*")


def test_another_grants_role_that_airflow_does_not_have_yet_stands_in_nobodys_way(airflow, cast):
    """Both are being given at once; the role for the DAG is created only by its own operation."""
    airflow.add_user("employee", roles=["Public"])
    first = factories.grant_at_status("applying", entitlement="demo/role/User")
    second = factories.grant_at_status("applying", entitlement="demo/dag/sales_report/view")
    factories.work_off()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("active", "active")
    assert roles(airflow) == sorted(["Public", "User", second.entitlement.role])


def test_a_role_deleted_in_airflow_does_not_stop_the_persons_other_grants(airflow, cast):
    gone = factories.grant_at_status("active", entitlement="demo/role/Viewer")
    del airflow.state.roles["Viewer"]
    airflow.state.users["employee"].roles.remove("Viewer")
    other = factories.grant_at_status("active", entitlement="demo/role/User")
    assert roles(airflow) == ["User"]
    grants.hand_back(grant_id=gone.pk, by=cast["employee"])
    factories.work_off()
    gone.refresh_from_db()
    other.refresh_from_db()
    assert (gone.status, other.status) == ("ended", "active")


def test_a_dag_airflow_has_not_read_yet_is_waited_for(airflow, cast):
    dag = airflow.state.dags.pop("sales_report")
    factories.request_at_status("approved", entitlement="demo/dag/sales_report/view")
    factories.work_off()
    assert the_grant().status == "applying"
    assert "has not read the file of the DAG sales_report" in the_operation().waiting_for
    airflow.state.dags["sales_report"] = dag
    factories.work_on()
    assert the_grant().status == "active"


def test_a_dag_whose_file_overrules_roles_is_reported_as_such(airflow, cast):
    first = factories.grant_at_status("active", entitlement="demo/dag/sales_report/view")
    permissions = airflow.state.roles[first.role].permissions
    permissions -= {pair for pair in permissions if pair[1].endswith(":sales_report")}
    factories.request_at_status("approved", by="colleague", entitlement="demo/dag/sales_report/view")
    factories.work_off()
    failed = Grant.objects.get(beneficiary=cast["colleague"])
    assert failed.status == "failed" and "access_control" in failed.failure


def test_a_role_airflow_does_not_have_fails_with_airflows_own_words(member, cast):
    del member.state.roles["User"]
    factories.request_at_status("approved")
    factories.work_off()
    assert the_grant().status == "failed"
    assert "User" in the_grant().failure
    member.state.roles["User"] = type(member.state.roles["Viewer"])("User", set())
    grants.retry(grant_id=the_grant().pk, by=cast["admin"])
    factories.work_off()
    assert the_grant().status == "active"


def test_a_200_without_effect_is_not_believed(member):
    member.fail_next(PATCH, "ignore")
    factories.request_at_status("approved")
    factories.work_off()
    assert the_grant().status == "applying"
    assert "but shows Public instead of Public, User" in the_operation().waiting_for
    factories.work_on()
    assert the_grant().status == "active"
    assert roles(member) == ["Public", "User"]


def test_a_200_that_never_has_effect_is_given_up_in_the_end(member):
    member.fail_next(PATCH, "ignore", times=50)
    factories.request_at_status("approved")
    for _ in range(MAX_ATTEMPTS):
        assert the_grant().status == "applying"
        factories.work_on()
    assert the_grant().status == "failed"
    assert "but shows Public instead of Public, User" in the_grant().failure
    assert factories.verbs()[-1] == Verb.GRANT_FAILED


def test_a_change_whose_answer_was_lost_is_found_done(member):
    """Within one call the same list is sent again; the next attempt reads first, and has nothing left to send."""
    member.fail_next(PATCH, "drop", times=99)
    factories.request_at_status("approved")
    factories.work_off()
    assert (the_grant().status, roles(member)) == ("applying", ["Public", "User"])
    sent = len(member.calls(PATCH))
    factories.work_on()
    assert the_grant().status == "active"
    assert roles(member) == ["Public", "User"]
    assert len(member.calls(PATCH)) == sent
    assert factories.verbs().count(Verb.GRANT_ACTIVATED) == 1


def test_an_airflow_that_is_away_is_marked_so_and_worked_off_when_it_is_back(member):
    member.stop()
    factories.request_at_status("approved")
    factories.work_off()
    factories.look_at_all()
    deployment = Deployment.objects.get()
    assert deployment.state.status == "down" and deployment.state.status_since is not None
    assert (the_operation().status, the_grant().status) == ("queued", "applying")
    attempts = the_operation().attempts
    Operation.objects.update(not_before=timezone.now())
    assert factories.work_off() == 0  # it is not hammered
    factories.attempt(the_operation().pk)
    assert the_operation().attempts == attempts
    health.check(deployment)
    assert factories.verbs().count(Verb.DEPLOYMENT_DOWN) == 1
    member.start()
    health.check(deployment)
    factories.work_off()
    assert the_grant().status == "active"
    assert Verb.DEPLOYMENT_UP in factories.verbs()


def test_time_runs_only_from_the_proof_when_airflow_was_away(member):
    member.stop()
    factories.request_at_status("approved", duration=HOURS)
    factories.work_off()
    later = timezone.now() + timedelta(minutes=50)
    with time_machine.travel(later, tick=False):
        member.start()
        health.check(Deployment.objects.get())
        factories.work_off()
    assert the_grant().ends_at == later + HOURS


def test_refused_credentials_stop_the_deployment_and_lose_nothing(member, monkeypatch):
    account = member.state.users["gatehouse-access"]
    known, account.password = account.password, "rotated"
    member.state.invalidate_tokens()
    factories.request_at_status("approved")
    factories.work_off()
    deployment = Deployment.objects.get()
    assert deployment.state.status == "needs_reauthentication"
    assert (the_operation().status, the_grant().status) == ("queued", "applying")
    assert Verb.DEPLOYMENT_LOCKED_OUT in factories.verbs()
    account.password = known
    health.check(deployment)
    factories.work_off()
    assert the_grant().status == "active"


def test_a_missing_secret_is_the_same(airflow, cast, monkeypatch):
    spec = Deployment.objects.get().accounts["granter"]["password"]
    monkeypatch.delenv(spec["env"])
    factories.request_at_status("approved")
    factories.work_off()
    deployment = Deployment.objects.get()
    assert deployment.state.status == "needs_reauthentication"
    assert spec["env"] in deployment.state.status_detail


@pytest.mark.parametrize("moment", ["before the change", "after the change"])
def test_a_worker_killed_in_between_is_made_good(member, cast, moment):
    """The claim stands, the worker is gone; what it did in Airflow (or not) is found by the next one."""
    factories.request_at_status("approved")
    claimed = outbox.claim(the_operation().pk, worker="elsewhere/1/1")
    if moment == "after the change":
        kinds.get(claimed.kind).handler.execute(claimed)
        assert roles(member) == ["Public", "User"]
    assert factories.work_off() == 0  # the lease still stands
    Operation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    outbox.release_expired()
    factories.work_off()
    assert the_grant().status == "active"
    assert roles(member) == ["Public", "User"]
    assert len(member.calls(PATCH)) == 1
    found = Verb.ROLES_CONFIRMED if moment == "after the change" else Verb.ROLES_CHANGED
    assert [verb for verb in factories.verbs() if verb.startswith(("airflow_roles", "grant."))] == [
        found,
        Verb.GRANT_ACTIVATED,
    ]


def test_a_worker_that_comes_back_late_settles_nothing(member, cast):
    factories.request_at_status("approved")
    late = outbox.claim(the_operation().pk, worker="elsewhere/1/1")
    kind = kinds.get(late.kind)
    done = kind.handler.execute(late)
    Operation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    outbox.release_expired()
    factories.work_off()
    count = AuditEvent.objects.count()
    with pytest.raises((Conflict, NotNeeded)):
        executor._settle(late, kind, done)
    assert AuditEvent.objects.count() == count
    assert the_grant().status == "active"


def test_ended_while_it_was_being_given_leaves_nothing_behind(member, cast):
    factories.request_at_status("approved")
    giving = outbox.claim(the_operation().pk, worker="elsewhere/1/1")
    kind = kinds.get(giving.kind)
    done = kind.handler.execute(giving)
    grants.hand_back(grant_id=the_grant().pk, by=cast["employee"])
    with pytest.raises(NotNeeded):
        executor._settle(giving, kind, done)
    Operation.objects.filter(pk=giving.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    outbox.release_expired()
    factories.work_off()
    assert the_grant().status == "ended"
    assert roles(member) == ["Public"]
    giving.refresh_from_db()
    assert giving.status == "cancelled"
    assert Verb.GRANT_ACTIVATED not in factories.verbs()


def test_taking_away_is_never_given_up_and_becomes_an_alarm(member, cast):
    grant = factories.grant_at_status("active")
    grants.hand_back(grant_id=grant.pk, by=cast["employee"])
    member.fail_next(PATCH, "500", times=100)
    for _ in range(alarms.AFTER_FAILURES + 3):
        factories.work_on()
    assert the_grant().status == "ending"
    assert factories.verbs().count(Verb.GRANT_END_FAILED) == 1
    member._failures.clear()
    factories.work_on()
    assert the_grant().status == "ended"
    assert roles(member) == ["Public"]


def test_a_person_deleted_in_airflow_has_lost_the_role(member, cast):
    grant = factories.grant_at_status("active")
    del member.state.users["employee"]
    grants.hand_back(grant_id=grant.pk, by=cast["employee"])
    factories.work_off()
    assert the_grant().status == "ended"


def test_a_person_deleted_and_made_anew_under_another_name_is_found_again(airflow, cast):
    factories.grant_at_status("ended")
    del airflow.state.users["employee"]
    airflow.add_user("e.mployee", email="employee@example.com", roles=["Public"])
    factories.request_at_status("approved")
    factories.work_off()
    assert roles(airflow, "e.mployee") == ["Public", "User"]


def test_nothing_is_settled_where_the_trail_cannot_be_written(member, request):
    factories.request_at_status("approved")
    request.getfixturevalue("broken_trail")
    claimed = outbox.claim(the_operation().pk, worker="elsewhere/1/1")
    kind = kinds.get(claimed.kind)
    with pytest.raises(DatabaseError):
        executor._settle(claimed, kind, kind.handler.execute(claimed))
    assert the_grant().status == "applying"
    assert the_operation().status == "running"


def test_rate_limits_are_obeyed(member):
    member.fail_next(PATCH, "429", retry_after="120", times=20)
    factories.request_at_status("approved")
    factories.work_off()
    operation = the_operation()
    assert operation.status == "queued"
    assert operation.not_before > timezone.now() + timedelta(seconds=100)


def test_the_granter_account_is_used_for_roles_and_the_runner_never(member):
    factories.grant_at_status("ended")
    used = {
        call.account
        for call in member.calls(".* /(auth/fab|api)/v1/(users/employee|roles.*)")
        + member.calls("POST /(auth/fab|api)/v1/.*")
    }
    assert used == {"gatehouse-access"}


def test_an_outsiders_change_between_is_kept(member, cast):
    """Somebody gives a role by hand while a grant runs: it is there afterwards too."""
    grant = factories.grant_at_status("active")
    admin = connect(name="demo", url=member.url, api=member.release.api, auth=PasswordAuth(*member.admin))
    admin.set_roles("employee", {"Public", "User", "Viewer"})
    admin.close()
    grants.hand_back(grant_id=grant.pk, by=cast["employee"])
    factories.work_off()
    assert roles(member) == ["Public", "Viewer"]
