import json

import pytest

from accounts.models import User
from portal.catalogue import loader, queries
from portal.catalogue.plan import plan
from tests.unit.catalogue.texts import GOOD, with_change


def planned(text):
    return plan(loader.loads(text.encode(), name="gatehouse.toml"), queries.version_in_force())


def test_everything_is_new_at_first(staff):
    lines = planned(GOOD).lines
    assert lines[0].startswith("+ deployment prod: url https://airflow.example.com; api v2; granter gatehouse-access")
    assert "+ entitlement prod/role/Op: title Operator; risk high; max_duration 8 hours; policy one-lead" in lines
    assert "+ policy one-lead: may_request group:data; stages 1 of group:leads, user:boss; pending_for 3 days" in lines
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


def test_no_difference(staff, apply):
    apply()
    same = planned(GOOD)
    assert (same.same, same.lines, same.in_force) == (True, [], 1)
    spelled = planned(GOOD.replace('"8h"', '"PT8H"'))
    assert (spelled.same, spelled.lines) == (False, [])


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


def test_steps_that_nobody_could_decide_are_warned_of(staff):
    assert planned(GOOD).warnings == ()
    User.objects.filter(username="lea").update(is_active=False)
    assert planned(GOOD).warnings == (), "boss can still decide"
    [warning] = planned(with_change("quorum = 1", "quorum = 2")).warnings
    assert (
        "policy one-lead, step 1: 2 of group:leads, user:boss must approve, but only 1 of them can sign in" in warning
    )
    User.objects.filter(username="boss").update(is_active=False)
    [warning] = planned(GOOD).warnings
    assert "nobody of them can sign in now. Add people" in warning


def test_names_that_nobody_has_are_warned_of(staff):
    User.objects.filter(username="boss").update(username="Boss")
    assert "user:boss is nobody in the portal yet; user names count in upper and lower case." in planned(GOOD).warnings


def test_one_account_for_both_jobs_is_warned_of(staff):
    [warning] = planned(with_change("gatehouse-runs", "gatehouse-access")).warnings
    assert "granter and runner are the same account" in warning
