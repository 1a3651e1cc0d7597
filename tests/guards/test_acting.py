"""Every action reads its actor again and locks the row. The code is searched for it, and every action is tried."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db.models import Model

from accounts import enrolment, passwords, preferences, roles, tokens
from accounts.acting import credential
from accounts.credentials import ByToken, SignedIn
from accounts.models import RateCount, Token, User
from accounts.operator import Operator
from accounts.permissions import Permission, Role
from portal.access import grants, leaving
from portal.access.actions import submit
from portal.access.models import Grant
from portal.approvals import actions
from portal.approvals.comments import comment
from portal.approvals.resubmitting import resubmit
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.catalogue import actions as catalogue_actions
from portal.catalogue import queries as offered
from portal.catalogue.models import Deployment
from portal.core.errors import Refused
from portal.dags import actions as dag_actions
from portal.dags.pauses import pausing
from portal.dags.permits import permits
from portal.dags.requests import run_requests, run_starts
from portal.dags.runs import run_actions, run_notices
from portal.dags.variables import changing
from tests import factories
from tests.factories import PASSWORD, person
from tests.guards.source import modules

# --- found in the code -----------------------------------------------------------------------------------------------
# modules that only record a refusal, or check a password before the action
MAY_RECORD = {"accounts/acting.py", "portal/setup/commands.py", "accounts/guard.py", "accounts/passwords.py"} | {
    "portal/api/auth.py",
    "portal/web/access/views.py",
}
# functions that an action calls with an actor that it has already read again, and functions that only read
INNER = {
    "accounts/passwords.py save_password",
    "accounts/passwords.py end_sessions_and_tokens",
    "portal/access/grant_changes.py add_operation",
    "portal/access/grants.py end",
    "portal/approvals/lapsing.py lapse_of",
    "portal/access/looks.py postpone",
    "portal/audit/refused_calls.py note_refused",
    "portal/audit/export.py export",
    "portal/audit/record.py recording",
    "portal/audit/verify.py verify_and_record",
    "portal/dags/variables/putting.py put",
    "portal/operations/outbox.py put",
    "portal/web/queue/briefing.py following",
}


def calls(node: ast.AST, *names: str) -> list[ast.Call]:
    found = [one for one in ast.walk(node) if isinstance(one, ast.Call)]
    return [one for one in found if getattr(one.func, "attr", getattr(one.func, "id", "")) in names]


def acts_for(node: ast.FunctionDef) -> bool:
    return not node.name.startswith("_") and any(argument.arg == "by" for argument in node.args.kwonlyargs)


def entry_points() -> dict[str, ast.FunctionDef]:
    """Every public function with an actor `by`, by module and name."""
    return {
        f"{path} {node.name}": node
        for path, tree in modules("accounts", "portal")
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and acts_for(node)
    }


def test_every_action_reads_its_actor_again():
    careless = {name for name, node in entry_points().items() if not calls(node, "acting", "check_actor")}
    assert careless == INNER, "begin with `with acting(by, ...) as (trail, by):`"


def test_nothing_records_for_somebody_without_reading_them_again():
    found = [
        f"{path}:{call.lineno}"
        for path, tree in modules("accounts", "portal")
        if path not in MAY_RECORD
        for call in calls(tree, "recording")
        if any(keyword.arg in ("by", "refusal") for keyword in call.keywords)
    ]
    assert not found, "acting() is recording() with its actor read again"


def test_every_door_sets_by_what_it_let_somebody_in():
    setting = {
        path
        for path, tree in modules("accounts", "portal")
        for call in calls(tree, "set")
        if getattr(getattr(call.func, "value", None), "id", "") == "credential"
    }
    assert setting == {"accounts/guard.py", "portal/api/auth.py", "portal/api/views.py"}


def bare_saves(tree: ast.Module) -> list[int]:
    allowed = {"update_fields", "force_insert"}
    return [
        call.lineno
        for call in calls(tree, "save", "asave")
        if isinstance(call.func, ast.Attribute)
        and not (isinstance(call.func.value, ast.Call) and getattr(call.func.value.func, "id", "") == "super")
        and not any(keyword.arg in allowed for keyword in call.keywords)
    ]


def test_no_row_is_saved_whole():
    """It would overwrite changes that others made after the row was read."""
    assert bare_saves(ast.parse("person.save()")) and not bare_saves(ast.parse("person.save(update_fields=['email'])"))
    assert not [f"{path}:{line}" for path, tree in modules() for line in bare_saves(tree)]


@pytest.mark.django_db
def test_a_person_refuses_to_be_saved_whole(employee):
    with pytest.raises(TypeError, match="update_fields"):
        employee.save()
    employee.email = "Emma@Example.com"
    employee.save(update_fields=["email"])
    assert person("employee").email_folded == "emma@example.com", "derived columns are saved with their source"


# --- tried -----------------------------------------------------------------------------------------------------------
Act = Callable[[User, Any, Path], object]


def _entitlement():
    return offered.entitlement("demo/role/User")


def _run_with_notice():
    run = factories.run_in_airflow("running")
    run_notices.ask_for_requester(run)
    return run


def _dag(dag_id: str = "sales_report"):
    return offered.dags_in_force().get(dag_id=dag_id)


def _pending(**asked: Any) -> int:
    return factories.request_at_status("pending", **asked).pk


def _grant(status: str = "applying") -> int:
    grant = factories.request_at_status("approved").grant
    changes = {"failed": {"failure": "no"}, "ending": {"end_reason": "revoked"}}.get(status, {})
    Grant.objects.filter(pk=grant.pk).update(status=status, **changes)
    return grant.pk


def _deployment() -> Deployment:
    Deployment.objects.update(variables=[{"key": "report_mode"}])
    return Deployment.objects.get()


def _variable_to_ask_for() -> Deployment:
    Deployment.objects.update(variables=[{"key": "report_mode", "policy": "one-lead"}])
    return Deployment.objects.get()


HOURS = factories.timedelta(hours=1)
# by entry point: the actor, a function that prepares the data, and the call of the action
ACTIONS: dict[str, tuple[str, Callable[[], Any], Act]] = {
    "portal/access/actions.py submit": (
        "employee",
        _entitlement,
        lambda by, what, _: submit(by=by, entitlement=what, duration=HOURS, reason="month-end close"),
    ),
    "portal/approvals/actions.py approve": ("lead", _pending, lambda by, pk, _: actions.approve(request_id=pk, by=by)),
    "portal/approvals/actions.py deny": (
        "lead",
        _pending,
        lambda by, pk, _: actions.deny(request_id=pk, by=by, comment="no"),
    ),
    "portal/approvals/actions.py return_for_changes": (
        "lead",
        _pending,
        lambda by, pk, _: actions.return_for_changes(request_id=pk, by=by, comment="shorter"),
    ),
    "portal/approvals/resubmitting.py resubmit": (
        "employee",
        lambda: factories.request_at_status("returned").pk,
        lambda by, pk, _: resubmit(request_id=pk, by=by),
    ),
    "portal/approvals/comments.py comment": (
        "employee",
        _pending,
        lambda by, pk, _: comment(request_id=pk, by=by, text="which one?"),
    ),
    "portal/approvals/actions.py withdraw": (
        "employee",
        _pending,
        lambda by, pk, _: actions.withdraw(request_id=pk, by=by),
    ),
    "portal/access/grants.py revoke": (
        "lead",
        _grant,
        lambda by, pk, _: grants.revoke(grant_id=pk, by=by, reason="enough"),
    ),
    "portal/access/grants.py hand_back": ("employee", _grant, lambda by, pk, _: grants.hand_back(grant_id=pk, by=by)),
    "portal/access/grants.py retry": (
        "admin",
        lambda: _grant("failed"),
        lambda by, pk, _: grants.retry(grant_id=pk, by=by),
    ),
    "portal/access/leaving.py deactivate": (
        "admin",
        lambda: None,
        lambda by, _, __: leaving.deactivate(by=Operator("root", by), username="employee"),
    ),
    "portal/access/leaving.py reactivate": (
        "admin",
        lambda: User.objects.filter(username="employee").update(is_active=False),
        lambda by, _, __: leaving.reactivate(by=Operator("root", by), username="employee"),
    ),
    "portal/access/grants.py mark_read": (
        "employee",
        lambda: _grant("ending"),
        lambda by, pk, _: grants.mark_read(grant_id=pk, by=by),
    ),
    "portal/dags/actions.py trigger": (
        "colleague",
        _dag,
        lambda by, dag, _: dag_actions.trigger(by=by, dag=dag, conf={}),
    ),
    "portal/dags/requests/run_requests.py ask": (
        "employee",
        lambda: _dag("payroll_close"),
        lambda by, dag, _: run_requests.ask(by=by, dag=dag, conf={}, reason="month-end close"),
    ),
    "portal/dags/permits/permits.py ask": (
        "employee",
        lambda: factories.read_dag("payroll_close"),
        lambda by, dag, _: permits.ask(by=by, dag=dag, bounds={}, runs=1, duration=HOURS, reason="month-end close"),
    ),
    "portal/dags/permits/permits.py revoke": (
        "lead",
        lambda: factories.permit().pk,
        lambda by, pk, _: permits.revoke(permit_id=pk, by=by, reason="enough"),
    ),
    "portal/dags/requests/run_starts.py cancel": (
        "colleague",
        lambda: factories.scheduled_run().pk,
        lambda by, pk, _: run_starts.cancel(request_id=pk, by=by),
    ),
    "portal/dags/pauses/pausing.py pause": (
        "colleague",
        _dag,
        lambda by, dag, _: pausing.pause(by=by, dag=dag, reason="close"),
    ),
    "portal/dags/pauses/pausing.py unpause": ("colleague", _dag, lambda by, dag, _: pausing.unpause(by=by, dag=dag)),
    "portal/dags/runs/run_actions.py cancel": (
        "colleague",
        lambda: factories.run_in_airflow("running"),
        lambda by, run, _: run_actions.cancel(by=by, run=run, reason="the wrong day"),
    ),
    "portal/dags/runs/run_actions.py retry": (
        "colleague",
        lambda: factories.run_in_airflow("failed"),
        lambda by, run, _: run_actions.retry(by=by, run=run),
    ),
    "portal/dags/runs/run_actions.py clear_tasks": (
        "colleague",
        lambda: factories.run_in_airflow("success"),
        lambda by, run, _: run_actions.clear_tasks(by=by, run=run, tasks=["publish"]),
    ),
    "portal/dags/runs/run_notices.py ask": (
        "colleague",
        lambda: factories.run_in_airflow("running"),
        lambda by, run, _: run_notices.ask(by=by, run_id=run.pk),
    ),
    "portal/dags/runs/run_notices.py mark_read": (
        "colleague",
        _run_with_notice,
        lambda by, run, _: run_notices.mark_read(by=by, run_id=run.pk),
    ),
    "portal/dags/variables/changing.py change": (
        "admin",
        _deployment,
        lambda by, where, _: changing.change(
            by=Operator("root", by), deployment=where, key="report_mode", value="x", reason="close"
        ),
    ),
    "portal/dags/variables/changing.py ask": (
        "employee",
        _variable_to_ask_for,
        lambda by, where, _: changing.ask(by=by, deployment=where, key="report_mode", value="x", reason="close"),
    ),
    "portal/catalogue/actions.py apply": (
        "admin",
        lambda: None,
        lambda by, _, folder: catalogue_actions.apply(by=Operator("root", by), path=_file(folder)),
    ),
    "accounts/tokens.py create": (
        "employee",
        lambda: None,
        lambda by, _, __: tokens.create(by=by, name="x", scopes=["read"], days=1, password=PASSWORD),
    ),
    "accounts/tokens.py revoke": (
        "employee",
        lambda: tokens.create(by=person("employee"), name="x", scopes=["read"], days=1, password=PASSWORD)[0].pk,
        lambda by, pk, _: tokens.revoke(by=by, token_id=pk),
    ),
    "accounts/enrolment.py enrol": (
        "admin",
        lambda: None,
        lambda by, _, __: enrolment.enrol(by=Operator("root", by), username="nina"),
    ),
    "accounts/enrolment.py change_groups": (
        "admin",
        lambda: None,
        lambda by, _, __: enrolment.change_groups(by=Operator("root", by), username="employee", add=["sales"]),
    ),
    "accounts/passwords.py change": (
        "employee",
        lambda: None,
        lambda by, _, __: passwords.change(by=by, current=PASSWORD, new="quite another one"),
    ),
    "accounts/passwords.py reset": (
        "admin",
        lambda: None,
        lambda by, _, __: passwords.reset(by=Operator("root", by), username="employee"),
    ),
    "accounts/preferences.py set_preferences": (
        "employee",
        lambda: None,
        lambda by, _, __: preferences.set_preferences(by=by, timezone="", theme="dark", shortcuts=True),
    ),
}
ELSEWHERE = {
    "portal/setup/onboarding.py create_accounts",  # tests/unit/worker/test_deployment_command.py
    "portal/approvals/actions.py check_decision",  # tests/views/test_queue.py
    "portal/approvals/resubmitting.py check_resubmission",  # tests/views/test_request_detail.py
}


def _file(folder: Path) -> Path:
    file = folder / "gatehouse.toml"
    file.write_text(f"{factories.CATALOGUE.read_text()}\n[groups.more]\n")
    return file


def rows() -> dict[str, list[Any]]:
    """All stored rows, except the audit trail and counters of attempts."""
    kept: list[type[Model]] = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label not in ("audit", "contenttypes") and model is not RateCount
    ]
    return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in kept}


def test_every_action_is_tried():
    assert set(ACTIONS) | ELSEWHERE == entry_points().keys() - INNER


@pytest.mark.parametrize("name", ACTIONS)
def test_an_actor_who_was_deactivated_after_signing_in_is_refused(catalogue, tmp_path, name):
    who, prepare, act = ACTIONS[name]
    thing, by = prepare(), person(who)
    User.objects.filter(pk=by.pk).update(is_active=False)
    before = rows()
    with pytest.raises(Refused) as refusal:
        act(by, thing, tmp_path)
    assert refusal.value.reason == "inactive"
    assert rows() == before
    event = AuditEvent.objects.order_by("-seq").first()
    assert (event.actor, event.outcome) == (who, "refused")


@pytest.mark.parametrize("name", ACTIONS)
def test_the_same_action_by_an_active_actor_is_done(catalogue, tmp_path, name):
    who, prepare, act = ACTIONS[name]
    thing, before = prepare(), rows()
    act(person(who), thing, tmp_path)
    assert rows() != before


# --- credentials -----------------------------------------------------------------------------------------------------
def _sign_in(client_as: Any, who: str, permission: Permission = Permission.DECIDE) -> SignedIn:
    return SignedIn(client_as(who).session.session_key, permission)


def _token(who: str, *scopes: str) -> ByToken:
    token, _ = tokens.create(by=person(who), name="x", scopes=scopes, days=1, password=PASSWORD)
    return ByToken(token.pk, scopes, frozenset(scopes))


LOST = {
    "session_ended: another password": lambda by: passwords.reset(by=Operator("root"), username=by.username),
    "session_ended: signed out elsewhere": lambda by: apps.get_model("sessions.Session").objects.all().delete(),
    "session_ended: deactivated and reactivated": lambda by: (
        leaving.deactivate(by=Operator("root"), username=by.username),
        leaving.reactivate(by=Operator("root"), username=by.username),
    ),
    "not_permitted: the role": lambda by: roles.assign({(Role.ADMIN, "group:admins")}),
    "not_permitted: the group that has it": lambda by: enrolment.change_groups(
        by=Operator("root"), username=by.username, none=True
    ),
    "token_ended: revoked": lambda by: tokens.revoke(by=Operator("root"), token_id=Token.objects.get().pk),
    "token_ended: expired": lambda by: Token.objects.update(
        created_at="2020-01-01T00:00Z", expires_at="2020-01-02T00:00Z"
    ),
    "token_ended: another password": lambda by: passwords.reset(by=Operator("root"), username=by.username),
    "scope: the role": lambda by: roles.assign({(Role.ADMIN, "group:admins")}),
}


@pytest.mark.parametrize("lost", LOST)
def test_an_actor_whose_credential_is_no_longer_valid_is_refused(catalogue, client_as, lost):
    """One action stands for all, because all use `acting`."""
    request, by, reason = _pending(), person("lead"), lost.partition(":")[0]
    held = _token("lead", "decide") if reason in ("token_ended", "scope") else _sign_in(client_as, "lead")
    LOST[lost](by)
    forget = credential.set(held)
    try:
        with pytest.raises(Refused) as refusal:
            actions.deny(request_id=request, by=by, comment="no")
    finally:
        credential.reset(forget)
    assert refusal.value.reason == reason
    event = AuditEvent.objects.order_by("-seq").first()
    assert (event.verb, event.actor) == (Verb.REQUEST_DENY_REFUSED, "lead")


def test_an_actor_with_a_valid_credential_acts(catalogue, client_as):
    for held in (_sign_in(client_as, "lead"), _token("lead", "decide", "read")):
        request = _pending(entitlement="demo/role/User" if isinstance(held, SignedIn) else "demo/dag/sales_report/view")
        forget = credential.set(held)
        try:
            assert actions.deny(request_id=request, by=person("lead"), comment="no").status == "denied"
        finally:
            credential.reset(forget)


def test_a_credential_of_somebody_else_lets_nobody_act(catalogue, client_as):
    request = _pending()
    for held in (_sign_in(client_as, "lead2"), _token("lead2", "decide")):
        forget = credential.set(held)
        try:
            with pytest.raises(Refused):
                actions.deny(request_id=request, by=person("lead"), comment="no")
        finally:
            credential.reset(forget)
