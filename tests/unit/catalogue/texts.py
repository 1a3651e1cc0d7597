"""A small file that is in order, to change one thing of."""

GOOD = """\
[deployments.prod]
url = "https://airflow.example.com"
granter = { username = "gatehouse-access", password = { env = "PROD_ACCESS" } }
runner = { username = "gatehouse-runs", password = { file = "/run/secrets/runs" } }

[groups]
data = {}
leads = {}
admins = { role = "admin" }
auditors = { role = "auditor" }

[policies.one-lead]
may_request = ["group:data"]
stages = [{ approvers = ["group:leads", "user:boss"], quorum = 1 }]
pending_for = "3d"

[policies.at-once]
may_request = ["group:data"]
stages = []
conflicts_with = ["prod/Op"]

[[entitlements]]
deployment = "prod"
role = "Op"
title = "Operator"
risk = "high"
max_duration = "8h"
policy = "one-lead"

[[entitlements]]
deployment = "prod"
dag = "sales_report"
level = "view"
title = "See the sales report"
risk = "low"
max_duration = "30d"
policy = "at-once"

[[dags]]
deployment = "prod"
dag = "sales_report"
actions = ["trigger", "pause"]
who = ["group:data"]
locked = { env = "prod" }
max_runs_per_hour = 6
"""


def with_change(old: str, new: str) -> str:
    assert GOOD.count(old) >= 1, f"{old!r} is not in the file"
    return GOOD.replace(old, new, 1)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1
