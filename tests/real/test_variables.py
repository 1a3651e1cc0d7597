"""Variables in a real Airflow: changed at once and by an approved request, each read back, whatever is lost."""

from __future__ import annotations

import pytest

from portal.approvals import actions
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.dags.models import VariableState
from portal.dags.variables import changing, observing
from tests import factories
from tests.real.conftest import poll

pytestmark = pytest.mark.django_db
CHANGE = "(PATCH|POST) .*/variables.*"


def shown(portal, key):
    """The stored value, and the change that set it."""
    state = VariableState.objects.select_related("operation").get(deployment=portal, key=key)
    assert state.problem == ""
    return state.value, state.operation and state.operation.ref


def test_a_variable_is_changed_at_once_and_by_an_approved_request(cast, portal, airflow, client_as):
    reason = "quarter end"
    at_once = changing.change(by=cast["colleague"], deployment=portal, key="report_mode", value="fast", reason=reason)
    request = changing.ask(by=cast["employee"], deployment=portal, key="report_days", value="14", reason=reason)
    factories.work_off()
    assert airflow.variable("report_mode").value == "fast"
    assert shown(portal, "report_mode") == ("fast", at_once.ref)
    actions.approve(request_id=request.pk, by=cast["lead"])
    factories.work_off()
    request.refresh_from_db()
    assert airflow.variable("report_days").value == "14"
    assert shown(portal, "report_days") == ("14", request.operation.ref)
    page = client_as("employee").get(f"/requests/{request.ref}").content.decode()
    assert "The variable is changed: Airflow confirms it" in page
    airflow.set_variable("report_mode", "full")  # by hand
    VariableState.objects.update(tried_at=VariableState.objects.latest("tried_at").tried_at - 2 * observing.EVERY)
    poll()
    assert shown(portal, "report_mode") == ("full", None)
    assert shown(portal, "report_days") == ("14", request.operation.ref)


def test_a_change_whose_answers_are_lost_is_made_once_and_says_the_old_value(cast, portal, way, airflow):
    airflow.set_variable("report_days", "7")
    way.do(CHANGE, "cut_after")
    request = changing.ask(by=cast["employee"], deployment=portal, key="report_days", value="14", reason="more")
    actions.approve(request_id=request.pk, by=cast["lead"])
    factories.work_off()
    request.refresh_from_db()
    operation = request.operation
    assert (operation.status, airflow.variable("report_days").value) == ("queued", "14")
    way.lift()
    way.forget()
    factories.work_on()
    operation.refresh_from_db()
    assert (operation.status, operation.before, operation.after) == ("succeeded", {"value": "7"}, {"value": "14"})
    assert shown(portal, "report_days") == ("14", operation.ref)
    assert way.asked(CHANGE) == []
    (event,) = AuditEvent.objects.filter(verb=Verb.VARIABLE_CHANGED)
    assert (event.detail["before"], event.detail["value"]) == ("7", "14")
