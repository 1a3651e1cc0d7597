"""The embedded broker with real worker processes."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery
from kombu import Connection
from kombu.exceptions import OperationalError

from portal.serving.transport import Folder
from tests.serving.waiting import end, until

Worker = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    monkeypatch.setenv("BURST_FOLDER", str(tmp_path))
    sys.modules.pop("tests.serving.burst", None)
    burst = importlib.import_module("tests.serving.burst")
    yield burst.app
    burst.app.close()
    sys.modules.pop("tests.serving.burst", None)


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Worker]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "tests.serving.burst",
            "worker",
            "--pool",
            "threads",
            "-c",
            "4",
        ]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]
        process = subprocess.Popen(command, env={**os.environ, "BURST_FOLDER": str(tmp_path)})
        started.append(process)
        return process

    yield start
    for process in started:
        end(process)


def noted(folder: Path) -> list[int]:
    file = folder / "noted"
    return [int(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_burst_survives_a_killed_worker(app: Celery, start_worker: Worker, tmp_path: Path) -> None:
    wanted = set(range(4000))
    for number in wanted:
        app.send_task("burst.note", args=[number])
    worker = start_worker()
    until(lambda: len(noted(tmp_path)) > 500, what="the worker is in the middle of it")
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert len(noted(tmp_path)) < 4000

    start_worker()
    until(lambda: set(noted(tmp_path)) == wanted, what="every message was worked on", within=90)
    broker = tmp_path / "broker"
    until(lambda: not [*broker.glob("ready/*"), *broker.glob(".claimed/*/*")], what="every message was deleted")


def test_a_second_worker_leaves_live_claims_alone(app: Celery, start_worker: Worker, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    start_worker()
    for _ in range(4):  # all its threads: only the second worker can run the next tasks
        app.send_task("burst.hold", args=[str(gate)])
    broker = tmp_path / "broker"
    until(lambda: len(list(broker.glob(".claimed/*/*"))) == 4, what="the first worker holds four messages")
    claims = set(broker.glob(".claimed/*/*"))

    start_worker()
    for number in range(20):
        app.send_task("burst.note", args=[number])
    until(lambda: len(set(noted(tmp_path))) == 20, what="the second worker works")
    assert all(claim.exists() for claim in claims), "the claims of a live worker were taken from it"
    gate.unlink()
    until(lambda: not any(claim.exists() for claim in claims), what="messages are deleted once their tasks are done")


def test_an_unreadable_message_is_set_aside_and_the_next_one_is_served(
    app: Celery, start_worker: Worker, tmp_path: Path
) -> None:
    folder = Folder(tmp_path / "broker")
    folder.publish("burst", "{ this is not JSON")
    folder.publish("burst", '{"body": "no properties"}')
    folder.publish("burst", "")
    app.send_task("burst.note", args=[7])
    start_worker()
    until(lambda: noted(tmp_path) == [7], what="the readable message is worked on")
    assert len(list(folder.undecodable.iterdir())) == 3


def test_messages_are_private_and_leave_in_order(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "broker")
    for number in range(20):
        folder.publish("a", str(number))
    folder.publish("b", "another queue's")
    claims = [folder.claim("a") for _ in range(20)]
    assert [claim.read_text() for claim in claims if claim] == [str(number) for number in range(20)]
    assert folder.claim("a") is None
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "broker").rglob("*"))


def test_only_claims_of_dead_consumers_are_put_back(tmp_path: Path) -> None:
    living, other = Folder(tmp_path), Folder(tmp_path)
    living.publish("q", "held")
    claim = living.claim("q")
    assert claim is not None
    assert other.recover() == 0
    orphan = tmp_path / ".claimed" / "1-gone"
    orphan.mkdir()
    claim.rename(orphan / claim.name)
    assert other.recover() == 1
    assert not orphan.exists()
    taken = other.claim("q")
    assert taken is not None
    assert taken.read_text() == "held"


def test_a_closed_consumer_puts_back_its_unacknowledged_messages(tmp_path: Path) -> None:
    first = Folder(tmp_path)
    first.publish("q", "again")
    assert first.claim("q")
    first.close()
    assert Folder(tmp_path).claim("q")


def test_an_unusable_folder_counts_as_an_unreachable_broker(tmp_path: Path) -> None:
    """After such an error Celery retries without end. Any other error would end the worker."""
    (tmp_path / "broker").write_text("in the way")
    tried: list[BaseException] = []
    with Connection("embedded://", transport_options={"folder": str(tmp_path / "broker")}) as connection:
        with pytest.raises(OperationalError):
            connection.ensure_connection(lambda error, pause: tried.append(error), max_retries=1, interval_start=0)
        assert isinstance(tried[0], FileExistsError)
        (tmp_path / "broker").unlink()
        connection.ensure_connection(max_retries=1)
