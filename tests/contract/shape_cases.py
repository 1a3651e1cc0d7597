"""Requests that are put to the fake and to a real Airflow, one after the other: their answers must be the same.

A case is "METHOD path", what it sends, and as whom. {u} is a name nobody else uses, {people} the address of users and
roles, {api} that of the rest, {when} and {later} are times that no run has. Cases build on each other, in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

WHEN = "{when}"
LATER = "{later}"


@dataclass(frozen=True)
class Case:
    request: str
    body: Any = None
    by: str = "admin"
    """admin, nobody, wrong (password or token), other (password where a token is wanted, or the other way round)."""
    accept: str = "application/json"
    only: str = ""
    """"v1" or "v2", for what only one API has."""

    def __str__(self) -> str:
        return f"{self.request} {self.body if self.body is not None else ''} by {self.by}".strip()


def cases(api: str) -> Iterator[Case]:
    """Those of an API, "v1" or "v2"."""
    return (case for case in all_cases() if case.only in ("", api))


def all_cases() -> Iterator[Case]:
    yield from basics()
    yield from users()
    yield from roles()
    yield from dags()
    yield from runs()
    yield from tasks()
    yield from variables()


def basics() -> Iterator[Case]:
    yield Case("GET /api/v1/version", by="nobody")
    yield Case("GET /api/v2/version", by="nobody")
    yield Case("GET {api}/nothing")
    yield Case("GET {api}/version/")
    yield Case("PUT {api}/dags/sales_report")
    yield Case("GET {people}/users", by="nobody")
    yield Case("GET {people}/users", by="wrong")
    yield Case("GET {people}/users", by="other")
    yield Case("GET {people}/roles", by="nobody")
    yield Case("GET {people}/roles", by="other")
    yield Case("GET {people}/permissions?limit=2")
    yield Case("GET {people}/permissions?limit=2", by="other")
    yield Case("GET {api}/dags", by="nobody")
    yield Case("GET {api}/dags", by="wrong")
    yield Case("GET {api}/dags", by="other")
    yield Case("GET {api}/providers?limit=1", only="v2")
    yield Case("POST /auth/token", {"username": "admin"}, by="nobody", only="v2")
    yield Case("POST /auth/token", {"username": "admin", "password": ""}, by="nobody", only="v2")
    yield Case("POST /auth/token", {"username": "admin", "password": "wrong"}, by="nobody", only="v2")
    yield Case("GET /auth/token", by="nobody", only="v2")
    yield Case("GET /auth/nothing", by="nobody", only="v2")
    yield Case("POST /auth/nothing", {}, by="nobody", only="v2")


PERSON = {"username": "{u}", "email": "{u}@x.com", "first_name": "F", "last_name": "L", "password": "p"}
VIEWER = {"roles": [{"name": "Viewer"}]}


def users() -> Iterator[Case]:
    post = "POST {people}/users"
    yield Case(post, {})
    yield Case(post)
    yield Case(post, {**PERSON, "roles": [{"name": "{u}_nope"}]})
    yield Case(post, {**PERSON, "roles": ["Viewer"]})
    yield Case(post, {**PERSON, "roles": [{}]})
    yield Case(post, {**PERSON, **VIEWER, "active": False})
    yield Case(post, {**PERSON, **VIEWER, "extra": 1})
    yield Case(post, {**PERSON, **VIEWER, "username": ""})
    yield Case(post, {**PERSON, **VIEWER, "username": 5})
    yield Case(post, {**PERSON, **VIEWER, "first_name": "", "username": "{u}_blank", "email": "{u}_blank@x.com"})
    yield Case(post, {**PERSON, "username": "{u}_none", "email": "{u}_none@x.com"})
    yield Case(post, {**PERSON, **VIEWER})
    yield Case(post, {**PERSON, **VIEWER})
    yield Case(post, {**PERSON, **VIEWER, "username": "{U}"})
    yield Case(post, {**PERSON, **VIEWER, "username": "{u}_2"})
    yield Case(post, {**PERSON, **VIEWER, "username": "{u}/slash", "email": "{u}_slash@x.com"})
    yield Case("GET {people}/users/{u}%2Fslash")
    yield Case("GET {people}/users?limit=1")
    yield Case("GET {people}/users?limit=-1")
    yield Case("GET {people}/users?limit=x")
    yield Case("GET {people}/users?limit=1&offset=1&order_by=id")
    for order in ("-id", "user_id", "username", "-username", "email", "is_active", "user_name", "active", "nonsense"):
        yield Case(f"GET {{people}}/users?limit=1&order_by={order}")
    yield Case("GET {people}/users?limit=1&username=x")
    yield Case("GET {people}/users/{u}")
    yield Case("GET {people}/users/{U}")
    yield Case("GET {people}/users/{u}_nobody")
    patch = "PATCH {people}/users/{u}"
    both = [{"name": "Viewer"}, {"name": "User"}]
    full = {name: value for name, value in PERSON.items() if name != "password"}
    yield Case(patch, {"roles": both})
    yield Case(f"{patch}?update_mask=roles", {**full, "roles": both})
    yield Case(f"{patch}?update_mask=roles", {**full, "first_name": "", "roles": both})
    yield Case(f"{patch}?update_mask=roles", full)
    yield Case(f"{patch}?update_mask=rolez", full)
    yield Case(f"{patch}?update_mask=active", full)
    yield Case(patch, {**full, "roles": None})
    yield Case(patch, {**full, "active": False})
    yield Case(patch, {**full, "roles": [{"name": "{u}_nope"}]})
    yield Case("PATCH {people}/users/{U}", {**full, "roles": both})
    yield Case(f"{patch}_nobody", {**full, "username": "{u}_nobody", "email": "n@x.com"})
    yield Case(f"{patch}?update_mask=roles", {**full, "roles": [{"name": "Op"}, {"name": "Op"}]})
    yield Case("GET {people}/users/{u}")
    yield Case(patch, {**full, "roles": []})
    yield Case("GET {people}/users/{u}")
    yield Case("PUT {people}/users/{u}", full)
    yield Case("DELETE {people}/users/{u}")
    yield Case("DELETE {people}/users/{u}")


READ = {"action": {"name": "can_read"}, "resource": {"name": "DAGs"}}
EDIT = {"action": {"name": "can_edit"}, "resource": {"name": "DAGs"}}


def roles() -> Iterator[Case]:
    post = "POST {people}/roles"
    yield Case(post, {})
    yield Case(post, {"name": ""})
    yield Case(post, {"name": "{u}_empty"})
    yield Case(post, {"name": "{u}", "permissions": [READ]})
    yield Case(post, {"name": "{u}", "actions": [{**READ, "action": {"name": "can_fly"}}]})
    yield Case(post, {"name": "{u}", "actions": [{**READ, "resource": {"name": "DAG:{u}_none"}}]})
    yield Case(post, {"name": "{u}", "actions": [READ, EDIT]})
    yield Case(post, {"name": "{u}", "actions": [READ, EDIT]})
    yield Case(post, {"name": "{u}_other", "actions": [READ]})
    yield Case("GET {people}/roles?limit=1")
    for order in ("role_id", "-name", "id", "nonsense"):
        yield Case(f"GET {{people}}/roles?limit=1&order_by={order}")
    yield Case("GET {people}/roles/{u}")
    yield Case("GET {people}/roles/{u}_nope")
    yield Case("GET {people}/roles/{U}")
    patch = "PATCH {people}/roles/{u}"
    yield Case(patch, {"actions": [READ]})
    yield Case(patch, {"name": "{u}", "actions": [READ]})
    yield Case("GET {people}/roles/{u}")
    yield Case(f"{patch}?update_mask=bad", {"name": "{u}", "actions": []})
    yield Case(f"{patch}?update_mask=name", {"name": "{u}_other"})
    yield Case("GET {people}/roles/{u}")
    yield Case(f"{patch}?update_mask=name", {"name": "{u}_new"})
    yield Case("GET {people}/roles/{u}_new")
    yield Case(f"{patch}_nope", {"name": "{u}_nope"})
    yield Case("DELETE {people}/roles/{u}_other")
    yield Case("DELETE {people}/roles/{u}_nope")


def dags() -> Iterator[Case]:
    yield Case("GET {api}/dags?limit=1")
    yield Case("GET {api}/dags?limit=0")
    yield Case("GET {api}/dags?limit=-1")
    yield Case("GET {api}/dags?limit=1&nonsense=1")
    yield Case("GET {api}/dags?limit=1&order_by=nonsense")
    yield Case("GET {api}/dags?limit=1&order_by=-dag_id")
    yield Case("GET {api}/dags?dag_id_pattern=sales&tags=report")
    yield Case("GET {api}/dags?dag_id_pattern=sales&tags=nothing")
    yield Case("GET {api}/dags?dag_id_pattern=sales&paused=true")
    yield Case("GET {api}/dags/sales_report")
    yield Case("GET {api}/dags/{u}")
    yield Case("GET {api}/dags/sales_report/details")
    yield Case("GET {api}/dags/{u}/details")
    yield Case("PATCH {api}/dags/{u}?update_mask=is_paused", {"is_paused": False})
    # and no task of its runs begins meanwhile
    yield Case("PATCH {api}/dags/warehouse_backup?update_mask=is_paused", {"is_paused": True})
    yield Case("PATCH {api}/dags/warehouse_backup?update_mask=tags", {"is_paused": False})
    yield Case("PATCH {api}/dags/warehouse_backup", {"is_paused": False, "extra": 1})
    yield Case("PATCH {api}/dags/warehouse_backup", {"is_paused": "nonsense"})
    yield Case("GET {api}/importErrors?limit=1")


def runs() -> Iterator[Case]:
    base = "{api}/dags/warehouse_backup/dagRuns"
    post = f"POST {base}"
    yield Case(post)
    yield Case("POST {api}/dags/{u}/dagRuns", {"dag_run_id": "{u}", "logical_date": WHEN})
    yield Case(post, {"logical_date": WHEN, "conf": []})
    yield Case(post, {"logical_date": WHEN, "conf": "x"})
    yield Case(post, {"logical_date": "2026-02-03T04:05:06", "conf": {}})
    yield Case(post, {"logical_date": "nonsense", "conf": {}})
    yield Case(post, {"logical_date": WHEN, "foo": 1})
    yield Case(post, {"dag_run_id": "with space", "logical_date": LATER})
    yield Case(post, {"dag_run_id": "scheduled__{u}", "logical_date": LATER})
    yield Case(post, {"dag_run_id": "{u}", "logical_date": WHEN, "note": "n", "conf": {"a": 1}})
    yield Case(post, {"dag_run_id": "{u}", "logical_date": LATER})
    yield Case(post, {"dag_run_id": "{u}_2", "logical_date": WHEN})
    sales = "POST {api}/dags/sales_report/dagRuns"
    yield Case(sales, {"dag_run_id": "{u}", "logical_date": WHEN, "conf": {"region": "XX"}})
    yield Case(sales, {"dag_run_id": "{u}", "logical_date": WHEN, "conf": {"region": 5}})
    yield Case(f"GET {base}/{{u}}")
    yield Case(f"GET {base}/{{u}}_nope")
    yield Case(f"GET {base}?limit=1&order_by=-id")
    yield Case(f"GET {base}?limit=1&order_by=nonsense")
    yield Case(f"GET {base}?limit=1&order_by=execution_date")
    yield Case(f"GET {base}?limit=1&order_by=logical_date")
    yield Case(f"GET {base}?limit=1&state=bogus")
    yield Case(f"GET {base}?limit=1&run_type=manual")
    yield Case("GET {api}/dags/{u}/dagRuns")
    yield Case("GET {api}/dags/~/dagRuns?limit=1")
    yield Case(f"PATCH {base}/{{u}}", {"state": "cancelled"})
    yield Case(f"PATCH {base}/{{u}}_nope", {"state": "failed"})
    yield Case(f"PATCH {base}/{{u}}", {"note": "x"})
    yield Case(f"PATCH {base}/{{u}}", {"state": "failed"})
    yield Case(f"PATCH {base}/{{u}}", {"state": "success"})
    yield Case(f"POST {base}/{{u}}/clear", {})
    yield Case(f"POST {base}/{{u}}/clear", {"extra": 1})
    yield Case(f"POST {base}/{{u}}/clear", {"dry_run": True, "only_failed": True})
    yield Case(f"POST {base}/{{u}}_nope/clear", {"dry_run": False})
    yield Case(f"GET {base}/{{u}}/wait", only="v2")
    yield Case(f"GET {base}/{{u}}/wait?interval=0", only="v2")
    yield Case(f"DELETE {base}/{{u}}_nope")


def tasks() -> Iterator[Case]:
    run = "{api}/dags/warehouse_backup/dagRuns/{u}"
    yield Case(f"GET {run}/taskInstances")
    yield Case(f"GET {run}_nope/taskInstances")
    yield Case(f"GET {run}/taskInstances?state=failed")
    yield Case(f"GET {run}/taskInstances?order_by=id")
    yield Case(f"GET {run}/taskInstances/prepare", only="v1")
    yield Case(f"GET {run}/taskInstances/nope", only="v1")
    yield Case(f"GET {run}/taskInstances/prepare/logs/7")
    yield Case(f"GET {run}/taskInstances/nope/logs/1")
    yield Case(f"GET {run}_nope/taskInstances/prepare/logs/1")
    yield Case(f"GET {run}/taskInstances/prepare/logs/1?token=nonsense")
    yield Case(f"GET {run}/taskInstances/prepare/logs/7", accept="text/plain")
    clear = "POST {api}/dags/warehouse_backup/clearTaskInstances"
    yield Case(clear, {"dag_run_id": "{u}"})
    yield Case(clear, {"dag_run_id": "{u}", "only_failed": False, "task_ids": ["prepare"]})
    yield Case(clear, {"dag_run_id": "{u}_nope"})
    yield Case(clear, {"nonsense": "{u}_nope"})


def variables() -> Iterator[Case]:
    yield Case("GET {api}/variables/{u}")
    yield Case("POST {api}/variables", {"key": "{u}"})
    yield Case("POST {api}/variables", {"key": "{u}", "value": "1", "extra": 1})
    yield Case("POST {api}/variables", {"key": "{u}", "value": "1"})
    yield Case("POST {api}/variables", {"key": "{u}", "value": "2", "description": "d"})
    yield Case("POST {api}/variables", {"key": "{u}_password", "value": "2"})
    yield Case("GET {api}/variables/{u}_password")
    yield Case("GET {api}/variables/{u}")
    yield Case("GET {api}/variables?limit=1&order_by=nonsense")
    yield Case("GET {api}/variables?limit=1&order_by=-id")
    yield Case("PATCH {api}/variables/{u}", {"key": "{u}_x", "value": "3"})
    yield Case("PATCH {api}/variables/{u}", {"value": "3"})
    yield Case("PATCH {api}/variables/{u}", {"key": "{u}", "value": 3})
    yield Case("PATCH {api}/variables/{u}", {"key": "{u}", "value": "3"})
    yield Case("PATCH {api}/variables/{u}_nope", {"key": "{u}_nope", "value": "3"})
    yield Case("DELETE {api}/variables/{u}")
    yield Case("DELETE {api}/variables/{u}")
