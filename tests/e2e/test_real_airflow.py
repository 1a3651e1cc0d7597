"""The main job on a real Airflow, with the portal as `manage.py serve` runs it: web, worker, beat, embedded broker."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from airflow_bridge import Airflow, PasswordAuth, connect
from tests.contract.targets import MAIN
from tests.factories import CATALOGUE, PASSWORD, WRITTEN_URL
from tests.real_airflow import RealAirflow, RealAirflows, on
from tests.services import free_port

HOME = CATALOGUE.parent.parent
SOON = 60_000  # a guard against waiting for ever, not a promise
# in one process: to start takes longer than to do
PREPARE = """
import django, os
os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("catalogue", "apply")
from tests import factories
factories.people()
"""


@pytest.fixture
def _served() -> None:
    """Another process has the database here."""


@pytest.fixture(params=[pytest.param(name, marks=on(name)) for name in MAIN])
def real(request: pytest.FixtureRequest, real_airflows: RealAirflows) -> RealAirflow:
    return real_airflows.get(request.param)


@pytest.fixture
def portal(real: RealAirflow, tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(address, environment) of a portal of its own, with the demo's people and catalogue, in front of that Airflow."""
    port = free_port()
    config = tmp_path / "gatehouse.toml"
    written = CATALOGUE.read_text().replace(WRITTEN_URL, real.url).replace('api = "v2"', f'api = "{real.api}"')
    config.write_text(written)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GATEHOUSE_", "DJANGO_"))}
    env |= {
        "GATEHOUSE_DATA_DIR": str(tmp_path / "data"),
        "GATEHOUSE_CONFIG": str(config),
        "GATEHOUSE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW_DEMO_ACCESS": real.granter[1],
        "AIRFLOW_DEMO_RUNS": real.runner[1],
    }
    done = subprocess.run([sys.executable, "-c", PREPARE], cwd=HOME, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    log = tmp_path / "serve.log"
    with log.open("wb") as out:
        serve = subprocess.Popen(
            [sys.executable, "manage.py", "serve", f"--port={port}"],
            cwd=HOME,
            env=env,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/health/ready"), serve, log)
        yield f"http://127.0.0.1:{port}", env
    finally:
        serve.send_signal(signal.SIGTERM)
        serve.wait(30)


@pytest.fixture
def origin(portal: tuple[str, dict[str, str]]) -> str:
    return portal[0]


@pytest.fixture
def airflow(real: RealAirflow) -> Iterator[Airflow]:
    """The administrator's own view of Airflow."""
    client = connect(name="demo", url=real.url, api=real.api, auth=PasswordAuth(*real.admin), timeout=30)
    yield client
    client.close()


def manage(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run([sys.executable, "manage.py", *arguments], cwd=HOME, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


def answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False


def wait_until(done: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 90
    while not done():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.2)


def signed_in(visit: Callable[..., Page], name: str) -> Page:
    page = visit()
    page.goto("/")
    page.get_by_role("textbox", name="User name").fill(name)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Home")).to_be_visible()
    return page


def line(page: Page, words: str) -> None:
    """The request's page comes to say this, without a reload."""
    expect(page.get_by_role("list", name="Timeline")).to_contain_text(words, timeout=SOON)


def test_asked_approved_verified_run_paused_handed_back_and_all_of_it_in_the_trail(portal, airflow, visit):
    employee, lead = signed_in(visit, "employee"), signed_in(visit, "lead")
    employee.goto("/requests/new?entitlement=demo/role/User")
    employee.get_by_role("textbox", name="Why do you need it?").fill("month-end close")
    employee.get_by_role("button", name=re.compile("^Send request")).click()
    line(employee, "lead or lead2 decides")
    lead.goto("/queue")
    lead.get_by_role("button", name=re.compile("^Approve for .* hours")).click()
    line(employee, "Verified in Airflow on demo")
    user = airflow.find_user(username="employee", email="employee@example.com")
    assert user is not None and "User" in user.roles

    colleague = signed_in(visit, "colleague")
    colleague.goto("/dags/demo/sales_report")
    colleague.get_by_role("radio", name="EU").check()
    colleague.get_by_role("button", name="Run sales_report").click()
    expect(colleague).to_have_url(re.compile(r"/runs/RUN-\d+$"))
    run_page = colleague.url
    expect(colleague.get_by_role("main")).to_contain_text("publish failed", timeout=2 * SOON)
    for verb, state in (("Pause", "Paused in Airflow"), ("Unpause", "Active in Airflow")):
        colleague.goto("/dags/demo/sales_report")
        main = colleague.get_by_role("main")
        main.locator("summary").filter(has_text=f"{verb} sales_report").click(timeout=SOON)
        main.get_by_role("textbox", name="Reason").fill("stock-taking")
        main.get_by_role("button", name=f"{verb} it").click()
        expect(main.get_by_role("heading", name=state)).to_be_visible(timeout=SOON)
        dag = airflow.dag("sales_report")
        assert dag is not None and dag.paused is (verb == "Pause")

    employee.goto("/access")
    employee.locator("summary", has_text="Hand back").click()
    employee.get_by_role("button", name=re.compile("^Hand back")).click()
    line(employee, "Airflow confirmed that it is gone")
    user = airflow.find_user(username="employee", email="employee@example.com")
    assert user is not None and "User" not in user.roles

    auditor = signed_in(visit, "auditor")
    auditor.goto("/audit")
    for words in ("employee", "lead", "colleague", "sales_report", run_page.rpartition("/")[2]):
        expect(auditor.get_by_role("main")).to_contain_text(words)
    auditor.get_by_role("button", name="Verify the trail").click()
    expect(auditor.get_by_role("main")).to_contain_text("unbroken")
    assert "ok" in manage(portal[1], "audit", "verify", "--json")
