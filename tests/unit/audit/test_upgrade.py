"""Trails of the release before format 1 (tests/upgrade.py), brought up to date."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from portal.audit.carried import text_before
from portal.audit.format import GENESIS, chained, leaf_of
from portal.audit.migrations import _before_format_1 as before_format_1
from tests.upgrade import OLD, Database


@pytest.fixture(autouse=True)
def _of_the_trail_alone() -> None:
    """Here the rows are there, and are compared."""


@pytest.fixture(scope="module")
def upgraded(load) -> Database:
    return load("complete").upgrade()


def test_the_trail_begins_with_an_event_that_names_the_head_of_the_old_one(upgraded: Database) -> None:
    old, first = upgraded.events, upgraded.new()[0]
    assert (first["seq"], first["verb"], first["actor"], first["outcome"], first["target"], first["prev"]) == (
        0, "audit.format_changed", "gatehouse", "success", "audit", GENESIS,
    )  # fmt: skip
    count = len(old)
    assert json.loads(first["payload"])["detail"] == {
        "events": count, "first": 1, "last": count, "head": {"seq": count, "hash": old[-1]["hash"]},
        "format": 1, "verified": True,
    }  # fmt: skip


def test_every_old_event_is_there_with_its_number_time_and_words(upgraded: Database) -> None:
    old, new = upgraded.events, upgraded.new()[1:]
    assert len(old) == len(new) > 50
    for before, after in zip(old, new, strict=True):
        columns = [name for name in OLD if name not in ("payload", "hash")]
        assert [before[name] for name in columns] == [after[name] for name in columns]
        document = json.loads(after["payload"])
        assert {name: document[name] for name in json.loads(before["payload"])} == json.loads(before["payload"])
        assert document["v"] == 1 and re.fullmatch("[0-9a-f]{32}", document["salt"])
        assert document.keys() - json.loads(before["payload"]).keys() == {"v", "about", "salt"}
    assert len({json.loads(event["payload"])["salt"] for event in new}) == len(new)


def test_the_old_chain_can_be_computed_from_the_new_trail(upgraded: Database) -> None:
    digest = GENESIS
    for event in upgraded.new()[1:]:
        text = text_before(json.loads(event["payload"]))
        digest = hashlib.sha256(bytes.fromhex(digest) + text.encode()).hexdigest()
    assert digest == upgraded.events[-1]["hash"]


def test_the_new_chain_is_right(upgraded: Database) -> None:
    chain = GENESIS
    for event in upgraded.new():
        assert (event["prev"], event["leaf"]) == (chain, leaf_of(event["payload"]))
        chain = chained(event["prev"], event["leaf"])
        assert event["chain"] == chain


def test_references_are_those_of_the_old_columns_and_more(upgraded: Database) -> None:
    old = [json.loads(event["payload"]) for event in upgraded.events]
    for document in old:
        about = upgraded.about(document["seq"])
        named = {document[name] for name in ("request", "grant", "operation")} - {""}
        assert named | ({f"deployment:{document['deployment']}"} if document["deployment"] else set()) <= about
        assert any(one == document["target"] or one.endswith(f":{document['target']}") for one in about)
    refused = next(one for one in old if one["verb"] == "request.approve_refused")
    assert upgraded.about(refused["seq"]) == {refused["target"]}
    asked = next(one for one in old if one["verb"] == "request.submitted")
    assert f"person:{asked['detail']['beneficiary']}" in upgraded.about(asked["seq"])
    run = next(one for one in old if one["verb"] == "run.requested")
    assert {run["target"], "dag:demo/sales_report"} <= upgraded.about(run["seq"])
    (unknown,) = [one for one in old if one["verb"] == "token.use_refused"]
    assert upgraded.about(unknown["seq"]) == {"unnamed:unknown token"}


def test_counted_refusals_keep_their_text_in_the_conversion(upgraded: Database) -> None:
    after = upgraded.entries()
    assert len(after) == len(upgraded.refusals) > 3
    for before, entry in zip(upgraded.refusals, after, strict=True):
        kept = {name: value for name, value in before.items() if name in entry}
        assert {name: entry[name] for name in kept} == kept
        assert entry.keys() == {*OLD[2:-2], "about", "detail"}
        assert entry["about"]


def test_a_converted_trail_can_be_verified_searched_exported_and_extended(upgraded: Database) -> None:
    database = upgraded.copy("goes_on")
    count = len(database.events)
    found = database.verified()
    assert (found["problems"], found["ok"]) == ([], True)
    assert (found["events"], found["head"]["seq"]) == (count + 1, count)
    assert f"{count + 2} of {count + 2} events verified" in database.manage("audit", "verify")
    lines = [json.loads(line) for line in database.manage("audit", "export").splitlines()]
    assert [line["event"]["seq"] for line in lines] == list(range(count + 3))
    assert lines[0]["event"]["about"] == lines[-1]["event"]["about"] == ["trail:audit"]
    about = [
        json.loads(line)["event"]["seq"] for line in database.manage("audit", "export", "--about", "GR-1").splitlines()
    ]
    assert about == [
        one["seq"] for one in map(json.loads, (e["payload"] for e in database.events)) if one["grant"] == "GR-1"
    ]
    said = database.manage("audit", "export", "--q", "월말 denied")
    assert "월말 마감" in said
    _forge_the_fifth(database)
    problems = database.verified()["problems"]
    assert any("do not give the hash of its last event, which event 0 names." in words for words in problems), problems
    assert not any("broken" in words or "leaf" in words for words in problems)


def _forge_the_fifth(database: Database) -> None:
    """Change a carried event, and compute leaf, chain and head anew from there on."""
    forged = database.new()[5:]
    forged[0]["payload"] = forged[0]["payload"].replace('"detail":{', '"detail":{"aside":1,', 1)
    chain, statements = forged[0]["prev"], []
    for event in forged:
        leaf = leaf_of(event["payload"])
        prev, chain = chain, chained(chain, leaf)
        columns = {"payload": event["payload"], "prev": prev, "leaf": leaf, "chain": chain}
        values = ", ".join(f"{name} = '{text.replace(chr(39), chr(39) * 2)}'" for name, text in columns.items())
        statements.append(f"UPDATE audit_auditevent SET {values} WHERE seq = {event['seq']}")
    statements.append(f"UPDATE audit_audithead SET chain = '{chain}'")
    off = ["DROP TRIGGER audit_event_kept_update", "DROP TRIGGER audit_head_forward"]
    if database.vendor == "postgresql":
        off = [f"ALTER TABLE audit_{one} DISABLE TRIGGER USER" for one in ("auditevent", "audithead")]
    for sql in [*off, *statements]:
        database.ask(sql)


TAMPERED = {
    2: "UPDATE audit_auditevent SET payload = '{' WHERE seq = 2",
    3: "UPDATE audit_auditevent SET payload = replace(payload, 'actor', 'Actor') WHERE seq = 3",
    4: "UPDATE audit_auditevent SET actor = 'nobody' WHERE seq = 4",
    5: "UPDATE audit_auditevent SET payload = '{\"seq\":5}', search_text = 'x' WHERE seq = 5",
    6: "UPDATE audit_auditevent SET hash = 'none' WHERE seq = 6",
    7: "UPDATE audit_auditevent SET at = '2001-01-01 00:00:00' WHERE seq = 7",
    8: "DELETE FROM audit_auditevent WHERE seq = 8",
}


def tamper(database: Database, *statements: str) -> Database:
    """As whoever may switch the triggers off, and switches them on again."""
    if database.vendor == "sqlite":
        kept = database.ask("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        off, on = [f"DROP TRIGGER {name}" for name, _ in kept], [sql for _, sql in kept]
    else:
        off, on = (
            [f"ALTER TABLE audit_{one} {how} TRIGGER USER" for one in ("auditevent", "audithead")]
            for how in ("DISABLE", "ENABLE")
        )
    for sql in [*off, *statements, *on]:
        database.ask(sql)
    return database


def test_a_converted_trail_with_errors_reports_them_permanently(load) -> None:
    database = tamper(load("changed"), *TAMPERED.values()).upgrade()
    first, *new = database.new()
    assert (first["seq"], first["outcome"]) == (0, "failed")
    said = json.loads(first["payload"])["detail"]
    assert said["verified"] is False
    assert said["events"] == len(database.events) == len(new)
    for seq in TAMPERED:
        assert any(re.search(rf"\b{seq}\b", words) for words in said["problems"]), said["problems"]
    # nothing is lost: what the old row said is in the new text
    before = {event["seq"]: event for event in database.events}
    for event in new:
        old, document = before[event["seq"]], json.loads(event["payload"])
        if event["seq"] not in TAMPERED:
            assert text_before(document) == old["payload"]
            assert "carried" not in document
            continue
        kept = document["carried"]
        assert text_before(document) == old["payload"]
        assert (kept["hash"], kept["columns"]["actor"]) == (old["hash"], old["actor"])
        assert kept["problems"]
    assert (new[3 - 1]["actor"], new[4 - 1]["actor"]) == (before[3]["actor"], json.loads(before[4]["payload"])["actor"])
    assert json.loads(new[7 - 1]["payload"])["carried"]["columns"]["at"].startswith("2001-01-01")
    found = database.verified()
    assert found["ok"] is False
    assert found["first_bad"] == 0
    assert [words for words in found["problems"] if "format (event 0)" in words] == [
        f"Changes were found when the trail was converted to a new format (event 0): {said['problems'][0]}"
    ]
    assert "The trail has a gap: event 8 is missing." in found["problems"]
    own = [words for words in found["problems"] if "(event 0)" not in words]
    assert not any("match" in words or "broken" in words for words in own), "the new trail is right in itself"


@pytest.mark.parametrize("load", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("name", "statements", "words"),
    [
        ("emptied", ["DELETE FROM audit_auditevent"], "The end of the trail was cut off: events 1 to"),
        ("headless", ["DELETE FROM audit_audithead"], "The head of the chain is missing"),
        ("numbered", ["UPDATE audit_auditevent SET seq = 0 WHERE seq = 10"], "An event has the number 0"),
    ],
)
def test_a_trail_with_a_wrong_head_is_converted_and_reported(
    load, name: str, statements: list[str], words: str
) -> None:
    database = tamper(load(name), *statements)
    head = database.rows("audit_audithead", "seq", "hash")
    database.upgrade()
    first = database.new()[0]
    said = json.loads(first["payload"])["detail"]
    assert first["seq"] == (-1 if name == "numbered" else 0)
    assert said["head"] == (head[0] if head else None)
    assert any(problem.startswith(words) for problem in said["problems"])
    assert database.verified()["ok"] is False
    last = max((event["seq"] for event in database.events), default=0)
    assert database.ask("SELECT seq FROM audit_audithead") == [(last + 1,)], "the result was recorded"


class Raw:
    """The old trail in a file of SQLite, as the migration reads it."""

    vendor = "sqlite"

    def __init__(self, database: Database) -> None:
        self.file = sqlite3.connect(database.url.removeprefix("sqlite:///"))

    @contextmanager
    def cursor(self) -> Iterator[Raw]:
        yield self

    def execute(self, sql: str, params: Sequence[Any] = ()) -> None:
        self.answer = self.file.execute(sql.replace("%s", "?"), params)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.answer, name)


@pytest.mark.parametrize("load", ["sqlite"], indirect=True)
def test_errors_found_in_an_old_trail(load) -> None:
    database = tamper(load("looked_at"), "ALTER TABLE audit_auditevent RENAME COLUMN hash TO chain")
    database = tamper(database, "ALTER TABLE audit_audithead RENAME COLUMN hash TO chain")
    last = database.ask("SELECT seq FROM audit_audithead")[0][0]
    for sql, words in (
        ("SELECT 1", ""),
        ("UPDATE audit_audithead SET chain = 'none'", f"The head does not name event {last} as it is now."),
        ("UPDATE audit_audithead SET seq = 9", "There are events beyond the head, which names 9 as the last one."),
        (
            f"UPDATE audit_audithead SET seq = {last + 1}",
            f"The end of the trail was cut off: event {last + 1} is missing.",
        ),
        (f"UPDATE audit_audithead SET seq = {last + 2}", f"cut off: events {last + 1} to {last + 2} are missing."),
    ):
        found = before_format_1.look(Raw(tamper(database, sql)))
        assert "".join(found.problems).endswith(words)
        assert (found.found, found.events) == (1 if words else 0, last)


def test_a_trail_without_triggers_is_converted_and_gets_them(load) -> None:
    database = load("unguarded")
    if database.vendor == "sqlite":
        statements = [
            "DROP TRIGGER audit_event_kept_update",
            "DROP TRIGGER audit_event_follows",
            "CREATE TRIGGER audit_event_follows BEFORE INSERT ON audit_auditevent BEGIN SELECT 1; END",
        ]
        words = ["audit_event_kept_update of the trail is missing.", "audit_event_follows of the trail was changed."]
    else:
        statements = [
            "DROP TRIGGER audit_event_kept ON audit_auditevent",
            "ALTER TABLE audit_auditevent DISABLE TRIGGER audit_event_follows",
        ]
        words = ["audit_event_kept of the trail is missing.", "audit_event_follows of the trail is switched off."]
    for sql in statements:
        database.ask(sql)
    said = json.loads(database.upgrade().new()[0]["payload"])["detail"]
    assert said["problems"] == [f"The guard {one}" for one in words]
    assert database.verified()["problems"] == [
        f"Changes were found when the trail was converted to a new format (event 0): The guard {words[0]}"
    ]
