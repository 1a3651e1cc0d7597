"""What the demo refuses, and how it avoids other demos and portals. The browser tests start the complete demo."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from portal.catalogue import actions, queries
from portal.demo import deployments, people, place, start
from portal.demo.airflow import RELEASES

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / ".demo"
    monkeypatch.setattr(place, "FOLDER", found)
    for name in ("DATA", "CONFIG", "LOGS", "SECRETS", "DEMO_JSON"):
        monkeypatch.setattr(place, name, found / getattr(place, name).name)
    monkeypatch.setattr(start, "MARK", f"test-{tmp_path.name}-{os.getpid()}")
    return found


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEHOUSE_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "manage.py", "demo", *arguments],
        cwd=REPOSITORY,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEHOUSE_DATABASE_URL", "postgres://somebody@db/real"),
        ("GATEHOUSE_DATA_DIR", "/var/lib/gatehouse"),
        ("GATEHOUSE_SECRET_KEY", "short"),
        ("DJANGO_SETTINGS_MODULE", "company.settings"),
    ],
)
def test_an_environment_of_another_portal_is_refused_by_name(name: str, value: str) -> None:
    done = demo(**{name: value})
    assert done.returncode == 1
    assert name in done.stderr
    assert f"env -u {name} make demo" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_airflow_is_refused_with_a_message() -> None:
    done = demo(AIRFLOW="1.10")
    assert done.returncode == 1
    assert "AIRFLOW=1.10 is not known. Leave it out for Airflow 3.3.2 alone; AIRFLOW=both adds" in done.stderr


@pytest.mark.parametrize(("said", "names"), [("", ["demo"]), ("3", ["demo"]), ("both", ["demo", "legacy"])])
def test_one_airflow_or_both(said: str, names: list[str]) -> None:
    found = deployments.wanted(said)
    assert [deployment.name for deployment in found] == names
    assert [RELEASES[deployment.release].api for deployment in found] == [deployment.api for deployment in found]


def test_a_second_demo_says_where_the_first_one_is(folder: Path) -> None:
    lock = start.only_one()
    start.write_down(lock, url="http://127.0.0.1:8123")
    with pytest.raises(start.CannotStart, match=rf"already running at http://127.0.0.1:8123 \(process {os.getpid()}\)"):
        start.only_one()
    os.close(lock)
    os.close(start.only_one())


def test_a_demo_waits_until_a_killed_demo_is_cleaned_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = start.only_one()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    os.pwrite(held, json.dumps({"pid": dead.pid}).encode(), 0)
    waited: list[float] = []

    def guard_is_done(seconds: float) -> None:
        waited.append(seconds)
        fcntl.flock(held, fcntl.LOCK_UN)

    monkeypatch.setattr(start, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=guard_is_done))
    os.close(start.only_one())
    assert waited
    os.close(held)


def test_a_busy_port_is_replaced_and_reported(listening: int) -> None:
    said: list[str] = []
    port, claim = start.choose_port(listening, whose="the portal", say=said.append)
    assert port != listening
    assert said == [f"port {listening} is in use; the portal uses {port}"]
    os.close(claim)


@pytest.mark.skipif(sys.platform != "linux", reason="the claim is a Linux service")
def test_a_port_that_another_demo_has_chosen_is_not_chosen_again_before_it_listens(listening: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    first = start.claim_port(port)
    assert first is not None
    assert start.claim_port(port) is None
    os.close(first)
    again = start.claim_port(port)
    assert again is not None
    os.close(again)


def test_a_full_disk_is_reported_before_anything_starts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.close(start.only_one())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 2**20))
    with pytest.raises(start.CannotStart, match=r"The disk is full: .* 5 MB are free"):
        start.prepare(ports={"demo": 9})
    assert not place.CONFIG.exists()


def test_the_catalogue_gets_airflows_real_address_and_old_files_are_deleted(folder: Path) -> None:
    os.close(start.only_one())
    stale = [place.DEMO_JSON, *(deployment.ready for deployment in deployments.DEPLOYMENTS.values())]
    for file in stale:
        file.write_text("{}")
    start.prepare(ports={"demo": 45678})
    assert addresses() == {"demo": "http://127.0.0.1:45678"}
    assert [file.name for file in stale if file.exists()] == []


def test_both_airflows_get_their_addresses_and_one_alone_works_again(folder: Path) -> None:
    os.close(start.only_one())
    start.prepare(ports={"demo": 45678, "legacy": 45679})
    assert addresses() == {"demo": "http://127.0.0.1:45678", "legacy": "http://127.0.0.1:45679"}
    start.prepare(ports={"demo": 45678})
    assert list(addresses()) == ["demo"]


def addresses() -> dict[str, str]:
    written = tomllib.loads(place.CONFIG.read_text())["deployments"]
    return {name: deployment["url"] for name, deployment in written.items()}


def test_both_airflows_offer_the_same(folder: Path) -> None:
    os.close(start.only_one())
    start.prepare(ports={"demo": 45678, "legacy": 45679})
    written = tomllib.loads(place.CONFIG.read_text())
    for offers in (written["entitlements"], written["dags"]):
        of_demo, of_legacy = (
            [offer | {"deployment": ""} for offer in offers if offer["deployment"] == name]
            for name in ("demo", "legacy")
        )
        assert of_demo == of_legacy
        assert of_demo
    assert set(written["deployments"]["demo"]) == set(written["deployments"]["legacy"])
    environment = place.environment(url="http://127.0.0.1:8000", deployments=["demo", "legacy"])
    asked = [
        deployment[account]["password"]["env"]
        for deployment in written["deployments"].values()
        for account in ("granter", "runner")
    ]
    assert len({environment[name] for name in asked}) == 4


@pytest.mark.django_db
def test_offers_of_the_second_airflow_are_retired_and_restored_with_it(folder: Path) -> None:
    os.close(start.only_one())

    def offered(**ports: int) -> set[tuple[str, str]]:
        start.prepare(ports=ports)
        actions.apply(by=people.BY, path=place.CONFIG)
        return {
            (one.deployment.name, one.title) for one in queries.entitlements_in_force().select_related("deployment")
        }

    both = offered(demo=1, legacy=2)
    assert {name for name, _ in both} == {"demo", "legacy"}
    assert offered(demo=1) == {offer for offer in both if offer[0] == "demo"}
    assert offered(demo=1, legacy=3) == both


def test_the_folder_and_its_secrets_are_private(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    os.close(start.only_one())
    environment = place.environment(url="http://127.0.0.1:8000")
    assert folder.stat().st_mode & 0o077 == 0
    assert place.SECRETS.stat().st_mode & 0o077 == 0
    assert len(environment["AIRFLOW_DEMO_ACCESS"]) >= 32
    assert place.environment(url="http://127.0.0.1:8000") == environment


def test_reset_deletes_everything_except_the_lock(folder: Path) -> None:
    os.close(start.only_one())
    start.prepare(ports={"demo": 9})
    (place.DATA / "gatehouse.sqlite3").touch()
    start.reset()
    assert [entry.name for entry in folder.iterdir()] == ["lock"]


def test_the_demos_portal_offers_its_people_at_sign_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(place, "SECRETS", tmp_path / "secrets.json")
    assert place.environment(url="http://127.0.0.1:8000")["GATEHOUSE_DEMO"] == "true"
