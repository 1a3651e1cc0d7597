"""Separation of duties counts in both directions, at every moment at which somebody could come to hold both."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.models import User
from portal.access import conflicts, holding
from portal.access.actions import submit
from portal.access.models import Grant
from portal.approvals import actions
from portal.catalogue import queries as offered
from portal.catalogue.models import Entitlement
from portal.core.errors import Refused
from tests import factories
from tests.unit.conftest import Change

pytestmark = pytest.mark.any_database

VIEWER, USER, VIEW = "demo/role/Viewer", "demo/role/User", "demo/dag/sales_report/view"
VIEWER_AGAINST_USER = ("[policies.at-once]", '[policies.at-once]\nconflicts_with = ["demo/role/User"]')


def ask(by, what):
    duration = timedelta(hours=1)
    return submit(by=by, entitlement=offered.entitlement(what), duration=duration, reason="month-end close")


def fail(grant: Grant) -> None:
    Grant.objects.filter(pk=grant.pk).update(status="failed", failure="no account")


@pytest.mark.parametrize(("first", "second"), [(USER, VIEWER), (VIEWER, USER)])
def test_either_order_is_refused_whichever_policy_names_the_other(employee, separated_duties, first, second):
    ask(employee, first)
    with pytest.raises(Refused, match=f"employee has .*{first}, which must not be combined") as refusal:
        ask(employee, second)
    assert refusal.value.reason == "conflicting_access"


def test_what_conflicts_for_one_person_does_not_for_another(employee, colleague, separated_duties):
    ask(employee, VIEWER)
    assert ask(colleague, USER).status == "pending"
    assert ask(employee, VIEW).status == "pending"


@pytest.mark.parametrize(("held", "waiting"), [(VIEW, USER), (USER, VIEW)])
def test_an_approval_looks_again_in_both_directions(cast, change_catalogue: Change, held, waiting):
    """The rule came after both were asked for."""
    factories.request_at_status("approved", entitlement=held)
    request = factories.request_at_status("pending", entitlement=waiting)
    apart = '[policies.apart]\nmay_request = ["group:data"]\nstages = [{ approvers = ["group:data-leads"] }]\n'
    change_catalogue(
        ("[policies.break-glass]", f'{apart}conflicts_with = ["{VIEW}"]\n\n[policies.break-glass]'),
        ('max_duration = "30d"\npolicy = "one-lead"', 'max_duration = "30d"\npolicy = "apart"'),  # of User
    )
    with pytest.raises(Refused) as refusal:
        actions.approve(request_id=request.pk, by=cast["lead"])
    assert refusal.value.reason == "conflicting_access"


@pytest.mark.parametrize(("failed", "other"), [(VIEWER, USER), (USER, VIEWER)])
def test_access_that_could_not_be_given_conflicts_with_no_new_request(employee, separated_duties, failed, other):
    fail(factories.request_at_status("approved", entitlement=failed).grant)
    assert ask(employee, other).entitlement.key == other


def test_access_that_could_not_be_given_conflicts_with_no_approval(cast, change_catalogue: Change):
    """The rule came after both were asked for."""
    viewer = factories.request_at_status("approved", entitlement=VIEWER).grant
    request = factories.request_at_status("pending", entitlement=USER)
    change_catalogue(VIEWER_AGAINST_USER)
    with pytest.raises(Refused, match=f"has {VIEWER}"):
        actions.approve(request_id=request.pk, by=cast["lead"])
    fail(viewer)
    actions.approve(request_id=request.pk, by=cast["lead"])
    request.refresh_from_db()
    assert request.status == "approved"


def test_access_that_is_offered_no_more_conflicts_while_it_is_held(employee, change_catalogue: Change):
    change_catalogue(VIEWER_AGAINST_USER)
    ask(employee, VIEWER)
    text = factories.CATALOGUE.read_text()
    viewer = text[text.index("[[entitlements]]") : text.index("[[entitlements]]", text.index("[[entitlements]]") + 1)]
    change_catalogue((viewer, ""))
    with pytest.raises(Refused, match=VIEWER):
        ask(employee, USER)


# --- before Airflow is changed ---------------------------------------------------------------------------------------
@pytest.fixture
def both(employee, change_catalogue: Change) -> tuple[Grant, Grant]:
    """Two grants on their way, given before a catalogue separated them: Viewer, then User."""
    grants = [factories.request_at_status("approved", entitlement=what).grant for what in (VIEWER, USER)]
    change_catalogue(VIEWER_AGAINST_USER)
    return grants[0], grants[1]


def test_neither_of_two_on_their_way_is_given(both):
    for grant in both:
        with pytest.raises(Refused, match="must not be combined") as refusal:
            holding.check_may_hold(grant)
        assert refusal.value.reason == "conflicting_access"


def test_what_starts_later_does_not_keep_anything_away_now(both):
    viewer, user = both
    Grant.objects.filter(pk=viewer.pk).update(status="scheduled")
    conflicts.check_before_change(user)
    with pytest.raises(Refused, match=f"has {USER}"):
        conflicts.check_before_change(viewer)  # at its own start, User is there


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda grant: User.objects.filter(pk=grant.beneficiary_id).update(is_active=False), "inactive"),
        (lambda grant: grant.beneficiary.groups.clear(), "not_eligible"),
        (lambda grant: Entitlement.objects.update(retired_at=grant.created_at), "not_offered"),
    ],
)
def test_whoever_may_no_longer_hold_it_is_seen_as_things_are_now(catalogue, change, reason):
    grant = factories.request_at_status("approved", entitlement=VIEWER).grant
    holding.check_may_hold(grant)
    change(grant)
    with pytest.raises(Refused) as refusal:
        holding.check_may_hold(grant)  # with the person and the entitlement as they were read before
    assert refusal.value.reason == reason


def test_the_check_costs_no_more_queries_the_more_somebody_holds(
    employee, separated_duties, django_assert_max_num_queries
):
    ask(employee, VIEW)
    ask(employee, USER)
    # the entitlement, what the person asked for and holds, the version in force, the names of each Airflow, the offer
    with django_assert_max_num_queries(6):
        conflicts.check_not_requested_or_held(employee, offered.entitlement("demo/dag/sales_report/operate"))


@pytest.mark.parametrize(("first", "second"), [("role/User", "role/Viewer"), ("role/Viewer", "role/User")])
def test_access_of_a_renamed_deployment_conflicts_under_its_new_name(
    catalogue, employee, fake, tmp_path, first, second
):
    """It is held in the same Airflow."""
    factories.request_at_status("approved", entitlement=f"demo/{first}")
    text = factories.CATALOGUE.read_text()
    old, new = VIEWER_AGAINST_USER
    text = text.replace(old, new, 1).replace("deployments.demo", "deployments.prod").replace('"demo', '"prod')
    factories.offer(tmp_path, url=fake.url, source=text)
    with pytest.raises(Refused, match=f"demo/{first}, which must not be combined with prod/{second}") as refusal:
        ask(employee, f"prod/{second}")
    assert refusal.value.reason == "conflicting_access"


def test_of_two_names_of_one_airflow_the_rules_of_both_count(catalogue, employee, fake, tmp_path):
    """Only the policy behind the first name forbids it."""
    text = factories.CATALOGUE.read_text()
    old, new = VIEWER_AGAINST_USER
    deployment = text[text.index("[deployments.demo]") : text.index("\n[", text.index("[deployments.demo]")) + 1]
    free = '[policies.free]\nmay_request = ["group:data"]\nstages = []\n\n'
    twin = '[[entitlements]]\ndeployment = "zzz"\nrole = "Viewer"\ntitle = "Look around"\nrisk = "low"\n'
    twin += 'max_duration = "8h"\npolicy = "free"\n'
    text = (
        text.replace(old, f"{free}{new}", 1) + "\n" + deployment.replace("deployments.demo", "deployments.zzz") + twin
    )
    factories.offer(tmp_path, url=fake.url, source=text)
    factories.request_at_status("approved", entitlement=USER)
    with pytest.raises(Refused) as refusal:
        ask(employee, VIEWER)
    assert refusal.value.reason == "conflicting_access"
