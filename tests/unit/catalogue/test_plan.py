import hashlib
import json

import pytest

from accounts.models import User
from portal.audit.models import AuditEvent
from portal.catalogue import loader, queries
from portal.catalogue.airflows import identity
from portal.catalogue.dag_spec import DagSpec
from portal.catalogue.document import AccountSpec, DeploymentSpec, Document
from portal.catalogue.models import CatalogueVersion
from portal.catalogue.plan import plan
from tests.unit.catalogue.texts import GOOD, with_change


def planned(text):
    return plan(loader.loads(text.encode(), name="gatehouse.toml"), queries.version_in_force())


def test_everything_is_new_at_first(staff):
    lines = planned(GOOD).lines
    assert lines[0] == (
        "+ deployment prod: url https://airflow.example.com; api v2; granter.kind password; "
        "granter.username gatehouse-access; granter.password env PROD_ACCESS; runner.kind password; "
        "runner.username gatehouse-runs; runner.password file /run/secrets/runs; create_users never; max_concurrent 8"
    )
    assert "+ entitlement prod/role/Op: title Operator; risk high; max_duration 8 hours; policy one-lead" in lines
    stages = "stages 1 of group:leads, user:boss"
    assert f"+ policy one-lead: may_request group:data; {stages}; pending_for 3 days; apply_within 1 hour" in lines
    assert "+ group data" in lines


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('max_duration = "8h"', 'max_duration = "4h"', "~ entitlement prod/role/Op: max_duration 8 hours → 4 hours"),
        ('role = "admin"', 'role = "auditor"', "~ group admins: role admin → auditor"),
        ("max_runs_per_hour = 6\n", "", "~ dag prod/sales_report: max_runs_per_hour 6 → nothing"),
        (
            "quorum = 1",
            "quorum = 2",
            "~ policy one-lead: stages 1 of group:leads, user:boss → 2 of group:leads, user:boss",
        ),
        (
            "stages = []",
            'stages = [{ approvers = ["user:boss"] }]',
            "~ policy at-once: stages granted at once → 1 of user:boss",
        ),
        ("stages = []", "stages = []\nbreak_glass = true", "~ policy at-once: break_glass nothing → yes"),
        ('{ env = "prod" }', '{ env = "test" }', '~ dag prod/sales_report: locked {"env": "prod"} → {"env": "test"}'),
        (GOOD[GOOD.index("[[dags]]") :], "", "- dag prod/sales_report"),
    ],
)
def test_one_difference_is_one_line(staff, apply, old, new, line):
    apply()
    assert planned(with_change(old, new)).lines == [line]


def test_a_fixed_secret_is_hidden_and_its_change_is_not(staff, apply):
    before = '{ env = "prod", db = { password = "hunter1" } }'
    lines = planned(with_change('{ env = "prod" }', before)).lines
    assert 'locked {"db": {"password": "***"}, "env": "prod"}' in "\n".join(lines)
    apply(with_change('{ env = "prod" }', before))
    found = planned(with_change('{ env = "prod" }', before.replace("hunter1", "hunter2")))
    assert [change.name for change in found.changes] == ["prod/sales_report"]
    told = json.dumps([lines, found.as_json(), list(AuditEvent.objects.values_list("payload", flat=True))])
    assert "hunter" not in told


def test_no_difference(staff, apply):
    apply()
    same = planned(GOOD)
    assert (same.same, same.lines, same.in_force) == (True, [], 1)
    spelled = planned(GOOD.replace('"8h"', '"PT8H"'))
    assert (spelled.same, spelled.lines) == (False, [])


OAUTH2 = {
    "kind": "oauth2",
    "username": "gatehouse",
    "token_url": "https://sso.example.com/token",
    "client_id": "gatehouse",
    "client_secret": {"env": "SECRET"},
    "scope": "airflow",
    "audience": "airflow",
}
MWAA = {"kind": "mwaa", "environment": "prod", "region": "eu-west-1"}
TOKEN = {"kind": "token", "token": {"env": "TOKEN"}}
PASSWORD = {"username": "gatehouse", "password": {"env": "PASSWORD"}}
# of every field: an account, what is written there instead, and both as the plan says them
ACCOUNTS = {
    "kind": (MWAA, {"kind": "google", "environment": None, "region": None}, "mwaa → google"),
    "username": (PASSWORD, "other", "gatehouse → other"),
    "password": (PASSWORD, {"file": "/other"}, "env PASSWORD → file /other"),
    "token": (TOKEN, {"env": "OTHER"}, "env TOKEN → env OTHER"),
    "token_url": (
        OAUTH2,
        "https://sso.example.org/token",
        "https://sso.example.com/token → https://sso.example.org/token",
    ),
    "client_id": (OAUTH2, "other", "gatehouse → other"),
    "client_secret": (OAUTH2, {"env": "OTHER"}, "env SECRET → env OTHER"),
    "scope": (OAUTH2, None, "airflow → nothing"),
    "audience": (OAUTH2, "other", "airflow → other"),
    "environment": (MWAA, "other", "prod → other"),
    "region": (MWAA, "us-east-1", "eu-west-1 → us-east-1"),
}
DEPLOYMENT = {"url": "https://airflow.example.com", "granter": OAUTH2, "runner": MWAA}
DEPLOYMENTS = {
    "allow_plain_http": (True, "allow_plain_http nothing → yes"),
    "url": ("https://other.example.com", "url https://airflow.example.com → https://other.example.com"),
    "api": ("v1", "api v2 → v1"),
    "granter": (OAUTH2 | {"scope": "all"}, "granter.scope airflow → all"),
    "runner": (MWAA | {"region": None}, "runner.region eu-west-1 → nothing"),
    "create_users": ("local", "create_users never → local"),
    "ca_bundle": ("/ca.pem", "ca_bundle nothing → /ca.pem"),
    "max_concurrent": (4, "max_concurrent 8 → 4"),
    "variables": (["limit"], "variables nothing → limit"),
    "read_only": (True, "read_only nothing → yes"),
}
DAG = {"deployment": "prod", "dag": "report", "actions": ["trigger"], "who": ["group:data"]}
CLOSE = {"from": "2026-12-24", "until": "2027-01-02", "except": ["user:boss"], "why": "close"}
DAGS = {
    "actions": (["logs"], "actions trigger → logs"),
    "who": (["user:ann"], "who group:data → user:ann"),
    "policy": ("fast", "policy nothing → fast"),
    "locked": ({"env": "prod"}, 'locked nothing → {"env": "prod"}'),
    "bounds": ({"days": {"maximum": 30}}, 'bounds nothing → {"days": {"maximum": 30}}'),
    "undeclared": (True, "undeclared nothing → yes"),
    "requester_param": ("by", "requester_param nothing → by"),
    "results": (["publish.url"], "results nothing → publish.url"),
    "max_runs_per_hour": (6, "max_runs_per_hour nothing → 6"),
    "one_at_a_time": (True, "one_at_a_time nothing → yes"),
    "freeze": ([CLOSE], "freeze nothing → 2026-12-24 until 2027-01-02, except user:boss (close)"),
}


def differences(before, after):
    """The lines for a deployment that was one and becomes the other."""
    return differences_of({"deployments": {"prod": before}}, {"deployments": {"prod": after}})


def differences_of(before, after):
    was, is_now = (Document.model_validate(document) for document in (before, after))
    sha256 = hashlib.sha256(was.model_dump_json().encode()).hexdigest()
    version = CatalogueVersion.objects.create(
        number=1, sha256=sha256, source="", document=was.as_json(), applied_by="root"
    )
    return plan(loader.Loaded("gatehouse.toml", "", "another", is_now), version).lines


@pytest.mark.parametrize("part", ["granter", "runner"])
@pytest.mark.parametrize("field", AccountSpec.model_fields)
def test_no_field_of_an_account_changes_unseen(db, part, field):
    account, value, said = ACCOUNTS[field]
    changed = account | (value if field == "kind" else {field: value})
    [line] = differences(DEPLOYMENT | {part: account}, DEPLOYMENT | {part: changed})
    assert f"{part}.{field} {said}" in line


@pytest.mark.parametrize("field", DeploymentSpec.model_fields)
def test_no_field_of_a_deployment_changes_unseen(db, field):
    value, said = DEPLOYMENTS[field]
    assert differences(DEPLOYMENT, DEPLOYMENT | {field: value}) == [f"~ deployment prod: {said}"]


@pytest.mark.parametrize(
    "field", [name for name in DagSpec.model_fields if name not in ("deployment", "dag", "dag_tag")]
)
def test_no_field_of_a_dag_changes_unseen(db, field):
    value, said = DAGS[field]
    assert differences_of({"dags": [DAG]}, {"dags": [DAG | {field: value}]}) == [f"~ dag prod/report: {said}"]


def test_a_secret_in_bounds_is_hidden(db):
    bounded = DAG | {"bounds": {"db_password": {"const": "hunter2"}}}
    [line] = differences_of({"dags": [DAG]}, {"dags": [bounded]})
    assert line == '~ dag prod/report: bounds nothing → {"db_password": {"const": "***"}}'


def test_different_values_with_the_same_words_are_a_difference(db):
    [line] = differences(DEPLOYMENT | {"variables": ["a", "b"]}, DEPLOYMENT | {"variables": ["a, b"]})
    assert line == "~ deployment prod: variables a, b → a, b"


def test_as_json(staff, apply):
    apply()
    answer = json.loads(json.dumps(planned(with_change('max_duration = "8h"', 'max_duration = "4h"')).as_json()))
    assert answer["in_force"] == 1
    assert answer["changes"] == [
        {
            "action": "change",
            "kind": "entitlement",
            "name": "prod/role/Op",
            "before": {"max_duration": "8 hours"},
            "after": {"max_duration": "4 hours"},
        }
    ]


def test_steps_without_approvers_cause_a_warning(staff):
    assert planned(GOOD).warnings == ()
    User.objects.filter(username="lea").update(is_active=False)
    assert planned(GOOD).warnings == (), "boss can still decide"
    [warning] = planned(with_change("quorum = 1", "quorum = 2")).warnings
    assert (
        "policy one-lead, step 1: 2 of group:leads, user:boss must approve, but only 1 of them can sign in" in warning
    )
    User.objects.filter(username="boss").update(is_active=False)
    [warning] = planned(GOOD).warnings
    assert "none of them can sign in now. Add people" in warning


def test_unknown_people_cause_a_warning(staff):
    assert not planned(GOOD.replace("user:boss", "user:Boss")).warnings
    assert (
        "user:bosss is not in Gatehouse yet (manage.py person add)."
        in planned(GOOD.replace("user:boss", "user:bosss")).warnings
    )


@pytest.mark.parametrize("again", ["gatehouse-access", "Gatehouse-ACCESS"])
def test_one_account_for_both_roles_causes_a_warning(staff, again):
    """Airflow does not tell upper from lower case when somebody signs in."""
    [warning] = planned(with_change("gatehouse-runs", again)).warnings
    assert "granter and runner are the same account" in warning


def test_two_names_of_one_airflow_are_reported(staff, apply):
    twin = (
        GOOD[: GOOD.index("[groups]")]
        .replace("deployments.prod", "deployments.twin")
        .replace("https://airflow", "https://AIRFLOW")
    )
    assert any(
        words.startswith("deployments prod and twin are the same Airflow") for words in planned(twin + GOOD).warnings
    )


def test_a_new_name_of_an_airflow_is_reported(staff, apply):
    apply()
    renamed = GOOD.replace("deployments.prod", "deployments.main").replace('"prod', '"main')
    assert any(
        "deployment main is the Airflow that was called prod" in words and "stays until it ends" in words
        for words in planned(renamed).warnings
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [("https://other.example.com", True), ("https://Airflow.example.com:443/", False)],
)
def test_a_new_address_of_a_deployment_is_reported(staff, apply, url, said):
    apply()
    moved = GOOD.replace("https://airflow.example.com", url)
    assert moved != GOOD
    words = [words for words in planned(moved).warnings if "deployment prod gets another address" in words]
    assert bool(words) == said
    assert not said or "granted at airflow.example.com will be searched for" in words[0]


@pytest.mark.parametrize(
    "url",
    [
        "https://airflow.example.com:443/prod",
        "https://Airflow.Example.com./prod/",
        "http://airflow.example.com/prod",
    ],
)
def test_one_address_in_several_spellings(url):
    assert identity(url) == identity("https://airflow.example.com/prod")


@pytest.mark.parametrize("url", ["https://airflow.example.com:8443/prod", "https://airflow.example.com/test"])
def test_another_airflow_at_the_same_host(url):
    assert identity(url) != identity("https://airflow.example.com/prod")
