"""Requests, decisions and grants of the release before portal.approvals, brought up to date: nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.upgrade import Database

REQUEST = (
    "id", "requester_id", "beneficiary_id", "status", "duration", "reason", "ticket", "policy", "policy_version",
    "created_at", "lapses_at", "closed_at", "closed_because", "withdrawn_by_id", "search_text",
)  # fmt: skip
TERMS = ("entitlement_id", "starts_at", "break_glass")
MOVED = {
    "stage": ("id", "request_id", "number", "quorum", "status"),
    "stageapprover": ("id", "stage_id", "subject", "folded"),
    "decision": ("id", "request_id", "stage_id", "by_id", "outcome", "comment", "duration", "at"),
}
GRANT = (
    "id", "request_id", "entitlement_id", "beneficiary_id", "deployment_id", "status", "role", "dag_id", "level",
    "airflow_user", "sent_at", "starts_at", "verified_at", "ends_at", "ended_at", "end_reason", "failure", "apply_by",
)  # fmt: skip
OPERATION = ("id", "kind", "status", "subject", "payload", "attempts", "failures", "not_before", "error", "created_at")
UNSETTLED = (
    "UPDATE access_grant SET status = 'failed', failure = 'refused' WHERE id = "
    "(SELECT min(id) FROM access_grant WHERE status = 'active')",
    "UPDATE operations_operation SET status = 'queued', settled_at = NULL WHERE id = "
    "(SELECT max(id) FROM operations_operation)",
)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def before(load) -> tuple[Database, dict[str, Rows]]:
    """The database after the upgrade, and its rows before it."""
    database = load("requests")
    for change in UNSETTLED:
        database.ask(change)
    moved = {
        name: database.rows(f"access_{name}", *map(_quoted, columns), order="id") for name, columns in MOVED.items()
    }
    rows = {
        "request": database.rows("access_accessrequest", *REQUEST, *TERMS, '"key"', order="id"),
        "grant": database.rows("access_grant", *GRANT, order="id"),
        "operation": database.rows("operations_operation", *OPERATION, "lane", order="id"),
        **moved,
    }
    database.upgrade()
    return database, rows


def _quoted(column: str) -> str:
    return f'"{column}"'


def only(rows: Rows, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_every_request_is_there_with_its_number_and_all_that_it_said(before) -> None:
    database, rows = before
    assert {row["status"] for row in rows["request"]} == {"pending", "approved", "denied", "withdrawn", "lapsed"}
    made = database.rows("approvals_request", *REQUEST, order="id")
    assert made == [{name: row[name] for name in REQUEST} for row in rows["request"]]
    terms = database.rows("access_accessrequest", "request_ptr_id", *TERMS, order="request_ptr_id")
    assert only(terms, "request_ptr_id", *TERMS) == only(rows["request"], "id", *TERMS)
    keys = database.ask('SELECT r.id, s."key", s.by_id FROM approvals_request r '
                        "JOIN approvals_submission s ON s.id = r.submission_id ORDER BY r.id")  # fmt: skip
    assert keys == only(rows["request"], "id", '"key"', "requester_id")
    named = database.ask(
        'SELECT r.id FROM approvals_request r JOIN catalogue_entitlement e ON e."key" = r.about '
        "AND e.deployment_id = r.deployment_id AND e.risk = r.risk ORDER BY r.id"
    )
    assert [pk for (pk,) in named] == [row["id"] for row in rows["request"]]


@pytest.mark.parametrize("name", MOVED)
def test_every_stage_and_decision_is_there(before, name: str) -> None:
    database, rows = before
    assert rows[name]
    assert database.rows(f"approvals_{name}", *map(_quoted, MOVED[name]), order="id") == rows[name]


def test_what_waits_is_in_the_queues_of_its_approvers(before) -> None:
    database, rows = before
    pending = {row["id"] for row in rows["request"] if row["status"] == "pending"}
    open_now = {row[_quoted("id")] for row in rows["stage"] if row[_quoted("status")] == "open"}
    expected = {row[_quoted("folded")] for row in rows["stageapprover"] if row[_quoted("stage_id")] in open_now}
    waiting = database.ask("SELECT request_id, principal FROM approvals_waiting ORDER BY request_id, principal")
    assert {request for request, _ in waiting} == pending
    assert {principal for _, principal in waiting} == expected != set()


def test_every_grant_keeps_what_it_gave_and_its_policy(before) -> None:
    database, rows = before
    assert len({row["status"] for row in rows["grant"]}) > 2
    assert database.rows("access_grant", *GRANT, order="id") == rows["grant"]
    kept = database.ask("SELECT id, origin, policy, policy_version, at_once FROM access_grant ORDER BY id")
    requests = {row["id"]: row for row in rows["request"]}
    decided = {row[_quoted("request_id")] for row in rows["stage"]}
    for (_, origin, policy, version, at_once), grant in zip(kept, rows["grant"], strict=True):
        request = requests[grant["request_id"]]
        assert (origin, policy, version) == ("request", request["policy"], request["policy_version"])
        assert bool(at_once) is (grant["request_id"] not in decided)


def test_every_operation_is_there(before) -> None:
    database, rows = before
    assert {row["status"] for row in rows["operation"]} == {"succeeded", "queued"}
    after = database.rows("operations_operation", *OPERATION, "ordering_key", order="id")
    assert only(after, *OPERATION, "ordering_key") == only(rows["operation"], *OPERATION, "lane")


def test_new_requests_get_new_numbers(before) -> None:
    """On PostgreSQL a sequence gives them, which copying rows does not move."""
    database, _ = before
    if database.vendor != "postgresql":
        return
    for table in ("approvals_request", "approvals_stage", "approvals_decision", "approvals_submission"):
        ((highest,),) = database.ask(f"SELECT max(id) FROM {table}")
        ((following,),) = database.ask(f"SELECT nextval(pg_get_serial_sequence('{table}', 'id'))")
        assert following > highest
