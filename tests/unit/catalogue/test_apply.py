import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import DatabaseError, connection

from accounts import people, roles
from accounts.models import RoleAssignment
from accounts.permissions import Role
from portal.airflow.dag_roles import dag_role_name
from portal.approvals import tickets
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.catalogue import actions, queries
from portal.catalogue.mistakes import FileRefused
from portal.catalogue.models import CatalogueVersion, Dag, Deployment, Entitlement
from portal.core.errors import Conflict, Missing
from tests.factories import observe
from tests.unit.catalogue.conftest import BY
from tests.unit.catalogue.texts import GOOD, with_change

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
WITHOUT_OP = GOOD.replace(GOOD[GOOD.index("[[entitlements]]") : GOOD.rindex("[[entitlements]]")], "").replace(
    'conflicts_with = ["prod/Op"]\n', ""
)


def trail(verb):
    return [json.loads(event.payload) for event in AuditEvent.objects.filter(verb=verb).order_by("seq")]


def test_the_first_version(staff, apply):
    done = apply()
    assert (done.version.number, done.version.applied_by) == (1, "os:root")
    assert done.version.source == GOOD
    assert done.version.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()

    deployment = Deployment.objects.get()
    assert (deployment.name, deployment.url, deployment.api) == ("prod", "https://airflow.example.com", "v2")
    assert deployment.accounts == {
        "granter": {"kind": "password", "username": "gatehouse-access", "password": {"env": "PROD_ACCESS"}},
        "runner": {"kind": "password", "username": "gatehouse-runs", "password": {"file": "/run/secrets/runs"}},
    }
    op, sales = Entitlement.objects.order_by("-key")
    assert (op.key, op.kind, op.role, op.max_duration) == ("prod/role/Op", "role", "Op", timedelta(hours=8))
    assert (sales.key, sales.kind, sales.level) == ("prod/dag/sales_report/view", "dag", "view")
    assert sales.role == dag_role_name("sales_report", "view")
    dag = Dag.objects.get()
    assert (dag.dag_id, dag.actions, dag.who, dag.policy) == ("sales_report", ["trigger", "pause"], ["group:data"], "")
    assert (dag.locked, dag.max_runs_per_hour) == ({"env": "prod"}, 6)


def test_it_is_recorded_with_its_digest_and_what_changed(staff, apply):
    done = apply()
    [event] = trail(Verb.CATALOGUE_APPLIED)
    assert (event["actor"], event["target"]) == ("os:root", "gatehouse.toml")
    assert event["detail"]["version"] == 1
    assert event["detail"]["sha256"] == done.version.sha256
    assert event["detail"]["changes"] == done.plan.lines
    assert event["detail"]["warnings"] == []


def test_portal_roles_follow_from_the_file(staff, apply):
    apply()
    rows = {
        ("admin", "group:admins"),
        ("auditor", "group:auditors"),
        ("approver", "group:leads"),
        ("approver", "user:boss"),
    }
    assert set(RoleAssignment.objects.values_list("role", "subject")) == rows


def test_the_same_text_again_makes_no_version(staff, apply):
    apply()
    again = apply()
    assert (again.version.number, again.plan.same, again.plan.changes) == (1, True, ())
    assert CatalogueVersion.objects.count() == 1
    assert len(trail(Verb.CATALOGUE_APPLIED)) == 1


def test_a_changed_comment_makes_a_new_version(staff, apply):
    apply()
    done = apply(GOOD + "# approved by the board\n")
    assert (done.version.number, done.plan.changes) == (2, ())
    assert trail(Verb.CATALOGUE_APPLIED)[1]["detail"]["changes"] == [actions.ONLY_SPELLING]


def test_removed_objects_are_retired_and_restored_as_the_same_row(staff, apply):
    apply()
    op = Entitlement.objects.get(key="prod/role/Op")
    apply(WITHOUT_OP)
    op.refresh_from_db()
    assert op.retired_at is not None
    with pytest.raises(Missing) as refusal:
        queries.entitlement("prod/role/Op")
    assert refusal.value.reason == "unknown_entitlement"
    first_retired = op.retired_at
    apply(WITHOUT_OP + "# still without\n")
    op.refresh_from_db()
    assert op.retired_at == first_retired, "when it was retired stays true"

    apply(with_change('title = "Operator"', 'title = "Operator again"'))
    op.refresh_from_db()
    assert (op.retired_at, op.title) == (None, "Operator again")
    assert Entitlement.objects.filter(key="prod/role/Op").count() == 1


def test_removing_a_deployment_retires_its_entitlements_and_dags(staff, apply):
    apply()
    apply('[groups]\nadmins = { role = "admin" }\n')
    assert not queries.deployments_in_force().exists()
    assert not queries.entitlements_in_force().exists()
    assert not queries.dags_in_force().exists()
    assert Deployment.objects.count() == 1


def test_apply_keeps_what_the_worker_has_read(staff, apply):
    apply()
    observe(status="up", airflow_version="3.3.2")
    apply(with_change("airflow.example.com", "airflow2.example.com"))
    deployment = Deployment.objects.get()
    assert (deployment.url, deployment.state.status) == ("https://airflow2.example.com", "up")


def test_a_file_with_mistakes_changes_nothing_and_is_recorded(staff, apply):
    apply()
    before = list(Entitlement.objects.values())
    with pytest.raises(FileRefused):
        apply(with_change('risk = "high"', 'risk = "hihg"').replace('title = "Operator"', 'title = "Changed"'))
    assert list(Entitlement.objects.values()) == before
    assert CatalogueVersion.objects.count() == 1
    [event] = trail(Verb.CATALOGUE_REFUSED)
    assert (event["actor"], event["outcome"], event["detail"]["reason"]) == ("os:root", "refused", "mistakes_in_file")
    assert "Did you mean “high”?" in event["detail"]["said"]


def test_without_the_trail_nothing_is_put_in_force(staff, apply, request):
    apply()
    request.getfixturevalue("broken_trail")
    with pytest.raises(DatabaseError):
        apply(WITHOUT_OP)
    assert queries.version_in_force().number == 1
    assert queries.entitlement("prod/role/Op").retired_at is None
    assert RoleAssignment.objects.filter(role=Role.ADMIN).exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_simultaneous_files_one_is_applied(tmp_path):
    files = []
    for number in range(4):
        files.append(tmp_path / f"{number}.toml")
        files[-1].write_text(with_change('title = "Operator"', f'title = "Operator {number}"'))
    together = threading.Barrier(len(files))

    def put(file):
        try:
            together.wait()
            return actions.apply(by=BY, path=file).version.number
        except Conflict as conflict:
            assert "at the same moment" in conflict.detail
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(len(files)) as pool:
        numbers = [number for number in pool.map(put, files) if number is not None]
    assert sorted(numbers) == list(range(1, len(numbers) + 1)), "numbers without gaps, each given once"
    last = queries.version_in_force()
    assert Entitlement.objects.get(key="prod/role/Op").title == queries.document(last).entitlements[0].title
    assert len(trail(Verb.CATALOGUE_APPLIED)) == len(numbers)
    assert len(trail(Verb.CATALOGUE_REFUSED)) == len(files) - len(numbers)


@pytest.mark.django_db(transaction=True)
def test_the_same_file_twice_at_once_is_one_version(tmp_path):
    file = tmp_path / "gatehouse.toml"
    file.write_text(GOOD)

    def put(_):
        try:
            return actions.apply(by=BY, path=file).version.number
        except Conflict:
            return 1
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(put, range(4))) == {1}
    assert CatalogueVersion.objects.count() == 1
    assert Entitlement.objects.count() == 2


def test_a_policy_of_an_earlier_version_stays_readable(staff, apply):
    apply()
    apply(with_change("quorum = 1", "quorum = 2"))
    assert queries.policy("one-lead", 1).stages[0].quorum == 1
    assert queries.policy("one-lead").stages[0].quorum == 2
    for missing in (("no-such", None), ("one-lead", 7)):
        with pytest.raises(Missing) as refusal:
            queries.policy(*missing)
        assert refusal.value.reason == "unknown_policy"


def test_approvers_stay_until_nothing_can_wait_for_them_any_more(staff, apply):
    """A request keeps the policy it was made under, for up to 3 days here; lea must be able to decide."""
    others = with_change('"group:leads", "user:boss"', '"user:ann"')
    lea = people.by_username("lea")
    with time_machine.travel(NOW, tick=False) as clock:
        apply()
        clock.shift(timedelta(days=30))
        apply(others)
        assert Role.APPROVER in roles.roles_of(lea)
        clock.shift(timedelta(days=3) - timedelta(seconds=1))
        apply(others + "# later\n")
        assert Role.APPROVER in roles.roles_of(lea)
        clock.shift(timedelta(seconds=1))
        apply(others + "# later still\n")
    assert Role.APPROVER not in roles.roles_of(lea)
    assert Role.APPROVER in roles.roles_of(people.by_username("ann"))


def test_no_version_is_in_force_at_first(db):
    assert queries.version_in_force() is None
    with pytest.raises(Missing):
        queries.policy("one-lead")


@pytest.mark.parametrize("pattern", ["OPS-(?!0)[0-9]+", r"[0-9]+\Z"])
def test_a_version_with_an_unsupported_pattern_can_be_read_and_replaced(staff, apply, pattern):
    apply()
    document = CatalogueVersion.objects.get().document
    for policy in document["policies"].values():
        policy |= {"ticket": pattern, "ticket_example": "OPS-1"}
    CatalogueVersion.objects.update(document=document, sha256=hashlib.sha256(pattern.encode()).hexdigest())
    (name, *_) = document["policies"]
    found = queries.policy(name)
    assert found.ticket == pattern
    assert "cannot be used" in tickets.problem("OPS-7", found)["ticket"]
    assert apply(with_change("quorum = 1", "quorum = 2")).version.number == 2
    assert queries.policy(name).ticket != pattern
