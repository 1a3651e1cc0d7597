"""What the fake does on request, or when time passes: what no comparison of single answers shows."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from airflow_bridge.types import Permission
from tests.fake_airflow import RELEASES, FakeAirflow, FakeDag, FakeQuestion, FakeRole, FakeRun

READ: Permission = ("can_read", "DAGs")


class Caller:
    """The administrator of a fake, without a bridge in between."""

    def __init__(self, fake: FakeAirflow) -> None:
        self.fake = fake
        self.api = f"/api/{fake.release.api}"
        self.http = httpx.Client(base_url=fake.url, timeout=10)
        if fake.release.api == "v1":
            self.http.auth = fake.admin
        else:
            token = self.http.post("/auth/token", json=dict(zip(("username", "password"), fake.admin, strict=True)))
            self.http.headers["Authorization"] = f"Bearer {token.json()['access_token']}"

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return self.http.request(method, path.replace("{api}", self.api), json=body, headers=headers)


Pair = tuple[FakeAirflow, Caller]


@contextmanager
def started(release: str) -> Iterator[Pair]:
    with FakeAirflow(release=release) as fake:
        caller = Caller(fake)
        try:
            yield fake, caller
        finally:
            caller.http.close()


@pytest.fixture(params=RELEASES)
def each(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with started(request.param) as pair:
        yield pair


@pytest.fixture
def v1() -> Iterator[Pair]:
    with started("2.11.2") as pair:
        yield pair


@pytest.fixture
def v2() -> Iterator[Pair]:
    with started("3.3.2") as pair:
        yield pair


def add_run(fake: FakeAirflow, run_id: str = "r", dag_id: str = "sales_report", **more: Any) -> FakeRun:
    run = FakeRun(dag_id, run_id, datetime.now(UTC), {}, None, **more)
    fake.state.runs.append(run)
    return run


def test_every_release_starts_a_run_and_shows_it(each: Pair) -> None:
    fake, ask = each
    body = {"dag_run_id": "r", "logical_date": "2026-02-03T04:05:06+00:00"}
    assert ask("POST", "{api}/dags/sales_report/dagRuns", body).json()["state"] == "queued"
    fake.set_run_states("success")
    assert ask("GET", "{api}/dags/sales_report/dagRuns/r").json()["state"] == "success"


# what files say about permissions


def holder_of(fake: FakeAirflow, *pairs: Permission) -> set[Permission]:
    fake.state.roles["Team"] = FakeRole("Team", set(pairs))
    return fake.state.roles["Team"].permissions


@pytest.mark.parametrize("release", ["2.11.2", "3.3.2"])
def test_what_the_api_gave_is_taken_away_where_the_file_says_who_may(release: str) -> None:
    given: tuple[Permission, ...] = (("can_read", "DAG:own"), ("can_create", "DAG Run:own"), ("can_read", "DAG:other"))
    with FakeAirflow(release=release) as fake:
        fake.state.dags["own"] = FakeDag("own", access_control={"Viewer": {READ}})
        holder_of(fake, *given)
        fake.state.roles["Admin"].permissions.add(given[0])
        fake.parse_dags()
        # Airflow 2 looks only at files that have changed
        assert fake.state.roles["Team"].permissions == (set(given) if release == "2.11.2" else {given[2]})
        fake.parse_dags(changed=["own"])
        assert fake.state.roles["Team"].permissions == {given[2]}
        assert ("can_read", "DAG:own") in fake.state.roles["Viewer"].permissions
        assert given[0] in fake.state.roles["Admin"].permissions


def test_a_file_that_names_a_missing_role_is_out_of_service_until_the_role_is_there(
    v2: Pair,
) -> None:
    fake, ask = v2
    fake.state.dags["own"] = FakeDag("own", access_control={"Team": {READ}}, file="both.py")
    fake.state.dags["beside"] = FakeDag("beside", file="both.py")
    holder_of(fake)
    fake.parse_dags()
    assert ask("DELETE", "/auth/fab/v1/roles/Team").status_code == 200
    fake.parse_dags()
    for dag_id in ("own", "beside"):
        shown = ask("GET", f"{{api}}/dags/{dag_id}").json()
        assert shown["is_stale"] and shown["has_import_errors"]
        assert ask("POST", f"{{api}}/dags/{dag_id}/dagRuns", {"logical_date": None}).status_code == 404
    assert dict(fake.state.import_errors).keys() == {"both.py"}
    assert "'Team'" in ask("GET", "{api}/importErrors").json()["import_errors"][0]["stack_trace"]
    ask("POST", "/auth/fab/v1/roles", {"name": "Team"})
    fake.parse_dags()
    assert not ask("GET", "{api}/dags/beside").json()["is_stale"]
    assert not fake.state.import_errors


def test_a_dag_that_nobody_has_parsed_cannot_be_named(v2: Pair) -> None:
    fake, ask = v2
    fake.state.dags["new"] = FakeDag("new", parsed=False)
    pair = {"action": {"name": "can_read"}, "resource": {"name": "DAG:new"}}
    assert ask("POST", "/auth/fab/v1/roles", {"name": "r", "actions": [pair]}).status_code == 400
    assert ask("GET", "{api}/dags/new").status_code == 404
    fake.parse_dags()
    assert ask("POST", "/auth/fab/v1/roles", {"name": "r", "actions": [pair]}).status_code == 200


# people


@pytest.mark.parametrize(("release", "replaced"), [("2.11.2", False), ("3.0.6", False), ("3.3.2", True)])
def test_a_shorter_list_of_permissions(release: str, replaced: bool) -> None:
    with started(release) as (fake, ask):
        holder_of(fake, READ, ("can_edit", "DAGs"))
        if release == "3.0.6":
            ask.http.headers.pop("Authorization")
            ask.http.auth = fake.admin
        people = "/api/v1" if release == "2.11.2" else "/auth/fab/v1"
        assert ask("PATCH", f"{people}/roles/Team", {"name": "Team", "actions": []}).status_code == 200
        assert bool(fake.state.roles["Team"].permissions) is not replaced


def test_a_role_named_twice_changes_nothing_on_airflow_2(v1: Pair) -> None:
    fake, ask = v1
    fake.add_user("alice")
    person = {"username": "alice", "email": "alice@example.com", "first_name": "F", "last_name": "L"}
    body = {**person, "roles": [{"name": "Op"}, {"name": "Op"}]}
    answer = ask("PATCH", "{api}/users/alice?update_mask=roles", body)
    assert (answer.status_code, fake.roles_of("alice")) == (200, {"Viewer"})


def test_the_author_of_a_note_cannot_be_deleted_on_airflow_2(v1: Pair) -> None:
    fake, ask = v1
    fake.add_user("writer")
    add_run(fake, noted_by="writer")
    assert ask("DELETE", "{api}/users/writer").status_code == 500
    assert fake.state.user("writer")
    fake.state.runs.clear()
    assert ask("DELETE", "{api}/users/writer").status_code == 204


def test_who_comes_with_a_wrong_password_is_the_public(v1: Pair) -> None:
    fake, ask = v1
    ask.http.auth = (fake.admin[0], "wrong")
    assert ask("GET", "{api}/dags").status_code == 403
    fake.state.public_role = "Viewer"
    assert ask("GET", "{api}/dags").status_code == 200
    fake.state.public_role = None
    assert ask("GET", "{api}/dags").status_code == 401


def test_log_ins_are_counted(v1: Pair, v2: Pair) -> None:
    for (fake, ask), expected in ((v1, 2), (v2, 1)):
        ask("GET", "{api}/dags")
        ask("GET", "{api}/dags")
        assert fake.log_ins == expected


# tasks


def test_cleared_tasks_are_tried_again_and_the_others_are_not(v2: Pair) -> None:
    fake, ask = v2
    run = add_run(fake)
    fake.set_run_states("failed")
    tasks = "{api}/dags/sales_report/dagRuns/r/taskInstances"
    assert ask("POST", "{api}/dags/sales_report/dagRuns/r/clear", {"only_failed": True}).json()["total_entries"] == 1
    assert run.state == "failed"  # it was a dry run
    ask("POST", "{api}/dags/sales_report/dagRuns/r/clear", {"only_failed": True, "dry_run": False})
    fake.set_run_states("success")
    rows = ask("GET", tasks).json()["task_instances"]
    assert [(row["state"], row["try_number"]) for row in rows] == [("success", 1), ("success", 2)]


def test_a_long_log_comes_in_parts(v2: Pair) -> None:
    fake, ask = v2
    fake.state.log_page = 4
    add_run(fake, logs={("collect", 1): [f"line {number}" for number in range(6)]})
    fake.set_run_states("success")
    path = "{api}/dags/sales_report/dagRuns/r/taskInstances/collect/logs/1"
    lines, token, parts = [], "", 0
    while token is not None:
        answer = ask("GET", f"{path}?token={token}").json()
        lines += [event["event"] for event in answer["content"]]
        token, parts = answer["continuation_token"], parts + 1
    assert (parts, lines[-6:]) == (3, [f"line {number}" for number in range(6)])


def test_airflow_2_always_has_one_more_token(v1: Pair) -> None:
    fake, ask = v1
    add_run(fake)
    fake.set_run_states("success")
    path = "{api}/dags/sales_report/dagRuns/r/taskInstances/collect/logs/1"
    first = ask("GET", path, Accept="application/json").json()
    second = ask("GET", f"{path}?token={first['continuation_token']}", Accept="application/json").json()
    assert "Task is done" in first["content"]
    assert second["content"] == "[('worker', '')]"
    assert second["continuation_token"]
    assert ask("GET", path, Accept="text/plain").text.startswith("worker\n")


def test_a_question_is_answered_once_by_whom_it_is_for(v2: Pair) -> None:
    fake, ask = v2
    add_run(fake)
    fake.set_run_states("running")
    fake.ask(FakeQuestion("sales_report", "r", "collect", "Go on?", ["Yes", "No"]))
    fake.ask(FakeQuestion("sales_report", "r", "publish", "Go on?", ["Yes"], assigned_users=[{"id": "9", "name": "x"}]))
    base = "{api}/dags/sales_report/dagRuns/r/taskInstances"
    assert ask("GET", base).json()["task_instances"][0]["state"] == "awaiting_input"
    for task, chosen, status in (("collect", "?", 400), ("collect", "Yes", 200), ("collect", "Yes", 409)):
        answer = ask("PATCH", f"{base}/{task}/-1/hitlDetails", {"chosen_options": [chosen]})
        assert answer.status_code == status
    assert ask("PATCH", f"{base}/publish/-1/hitlDetails", {"chosen_options": ["Yes"]}).status_code == 403
    waiting = ask("GET", "{api}/dags/~/dagRuns/~/hitlDetails?response_received=false").json()
    assert [row["task_instance"]["task_id"] for row in waiting["hitl_details"]] == ["publish"]


def test_a_backfill_makes_runs_and_only_one_goes_on(v2: Pair) -> None:
    fake, ask = v2
    fake.state.dags["daily"] = FakeDag("daily", schedule="0 6 * * *")
    body = {"dag_id": "daily", "from_date": "2026-02-01T00:00:00Z", "to_date": "2026-02-03T23:00:00Z"}
    assert ask("POST", "{api}/backfills/dry_run", body).json()["total_entries"] == 3
    assert not fake.state.runs
    assert ask("POST", "{api}/backfills", body).json()["id"] == 1
    assert [run.run_type for run in fake.state.runs] == ["backfill"] * 3
    assert ask("POST", "{api}/backfills", body).status_code == 409
    assert ask("PUT", "{api}/backfills/1/cancel").json()["completed_at"]
    assert {run.state for run in fake.state.runs} == {"failed"}
    assert ask("PUT", "{api}/backfills/1/cancel").status_code == 409
    no_schedule = ask("POST", "{api}/backfills", {**body, "dag_id": "sales_report"})
    assert (no_schedule.status_code, type(no_schedule.json()["detail"])) == (422, str)


# knobs


def test_half_an_answer_is_of_something_that_was_done(v2: Pair) -> None:
    fake, ask = v2
    fake.fail_next("PATCH /api/v2/dags/.*", "half")
    with pytest.raises(httpx.RemoteProtocolError):
        ask("PATCH", "{api}/dags/sales_report", {"is_paused": True})
    assert fake.state.dags["sales_report"].paused


def test_headers_of_a_gateway(v2: Pair) -> None:
    fake, ask = v2
    fake.rate_limit_headers = {"RateLimit-Remaining": "7"}
    fake.fail_next("GET .*", "429", retry_after="3", headers={"RateLimit-Reset": "5"})
    refused, answered = (ask("GET", "{api}/dags") for _ in range(2))
    assert {"retry-after": "3", "ratelimit-reset": "5", "ratelimit-remaining": "7"}.items() <= refused.headers.items()
    assert (answered.status_code, answered.headers["ratelimit-remaining"]) == (200, "7")


def test_many_people_and_dags_in_pages(v2: Pair) -> None:
    fake, ask = v2
    fake.add_users(250)
    fake.add_dags(250)
    users = ask("GET", "/auth/fab/v1/users?limit=1000&offset=200&order_by=id").json()
    assert (len(users["users"]), users["total_entries"]) == (51, 251)
    assert len(ask("GET", "/auth/fab/v1/users?limit=1000").json()["users"]) == 100
    assert len(ask("GET", "{api}/dags?limit=1000").json()["dags"]) == 100
    assert [len(ask("GET", f"{path}?limit=0").json()[key]) for path, key in PAGES] == [50, 0]


PAGES = (("/auth/fab/v1/users", "users"), ("{api}/dags", "dags"))


def test_airflow_3_packs_and_keeps_connections_and_airflow_2_does_not(v1: Pair, v2: Pair) -> None:
    for (_, ask), packs in ((v1, False), (v2, True)):
        with ask.http.stream("GET", f"{ask.api}/dags") as answer:
            content = b"".join(answer.iter_raw())
        assert (answer.headers.get("Content-Encoding") == "gzip") is packs
        assert (answer.headers.get("Connection") != "close") is packs
        assert b"sales_report" in (gzip.decompress(content) if packs else content)


def test_waiting_for_a_run_ends_with_it(v2: Pair) -> None:
    fake, ask = v2
    add_run(fake)
    lines = []
    with ask.http.stream("GET", f"{ask.api}/dags/sales_report/dagRuns/r/wait?interval=0.01") as answer:
        for line in answer.iter_lines():
            lines.append(line)
            fake.set_run_states("success")
    assert (lines[0], lines[-1]) == ('{"state": "queued"}', '{"state": "success"}')
    assert "Content-Type" not in answer.headers
