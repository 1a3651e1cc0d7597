"""The demo's own processes under the supervisor: `python -m portal.demo.parts airflow|setup|finish`."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from portal.demo import deployments, place
from portal.demo.waiting import Waiting, sizes
from portal.serving.supervisor import NO_RESTART

if TYPE_CHECKING:  # this module is loaded before Django's settings
    from portal.airflow.models import DeploymentState
    from portal.catalogue.models import Deployment

AIRFLOW_ADMIN = ("admin", "gatehouse-demo")
STILL = 120.0  # seconds without any change, after which waiting ends


def run_airflow(ports: Mapping[str, int]) -> int:
    """Install one Airflow if needed, run it with Gatehouse's two accounts, and end it when told to."""
    from portal.airflow.bridge import BridgeError
    from portal.demo import airflow
    from portal.demo.airflow import history

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ((name, port),) = ports.items()
    deployment = deployments.DEPLOYMENTS[name]
    release = airflow.RELEASES[deployment.release]
    access, runs = (os.environ[variable] for variable in place.secrets_of(name))
    try:
        python = airflow.ensure_environment(report=place.say, release=release)
        with airflow.AirflowServer(
            deployment.home, port, python=python, admin=AIRFLOW_ADMIN, release=release, report=place.say
        ) as server:
            place.say(f"{deployment.title} answers at {server.url}")
            history.write(deployment.home / "airflow.db")
            waiting = Waiting(still=STILL, say=place.say, moved=lambda: sizes([server.logs]))
            accounts = {"granter": ("gatehouse-access", access), "runner": ("gatehouse-runs", runs)}
            make = partial(airflow.ensure_service_accounts, server, api=release.api, **accounts)
            _until_answered(make, waiting=waiting, what=f"Gatehouse's two accounts in {deployment.title}")
            variables = partial(airflow.ensure_variables, server, api=release.api)
            _until_answered(variables, waiting=waiting, what=f"the variables of {deployment.title}")
            place.say(f"Gatehouse has its two accounts in {deployment.title}")
            deployment.ready.touch()
            while server.pid:
                time.sleep(1)
            return 1
    except (airflow.NotInstalled, airflow.AirflowNotUp, BridgeError) as error:
        sys.stderr.write(f"\n{error}\n")
        return NO_RESTART


def _until_answered(act: Callable[[], None], *, waiting: Waiting, what: str) -> None:
    """Do something in an Airflow, and repeat it if Airflow does not answer in time. Raises the last error."""
    from portal.airflow.bridge import RateLimited, TimedOut, Unexpected, Unreachable

    while True:
        try:
            return act()
        except (Unreachable, TimedOut, RateLimited, Unexpected) as error:
            if not waiting.goes_on(f"{what} ({error})"):
                raise
            time.sleep(1)


def setup() -> int:
    """Prepare the portal's database, files and people."""
    _django()
    from django.core.management import call_command

    from portal.demo import people

    call_command("migrate", interactive=False, verbosity=0)
    place.say("the portal's database is ready")
    call_command("collectstatic", interactive=False, verbosity=0)
    people.enrol_all()
    place.say("people and groups are in place")
    return 0


def finish(ports: Mapping[str, int]) -> int:
    """Apply the catalogue, create tokens, then report that all is ready. Needs the portal and the Airflows."""
    _django()
    from django.conf import settings

    for name in ports:
        while not deployments.DEPLOYMENTS[name].ready.exists():  # if it does not start, the supervisor ends us
            time.sleep(0.1)
    if not _apply_catalogue():
        return 1
    _wait_for_portal(settings.PUBLIC_URL)
    _write_down(settings.PUBLIC_URL, ports)
    return 0


def _apply_catalogue() -> bool:
    from django.core.management import CommandError, call_command

    from portal.catalogue.models import Deployment

    said = io.StringIO()
    try:
        call_command("catalogue", "apply", stdout=said, stderr=said)
    except (CommandError, SystemExit) as error:
        if not isinstance(error, SystemExit) or error.code:
            sys.stderr.write(f"\nThe catalogue was not accepted.\n{said.getvalue()}{error}\n")
            return False
    place.say("the catalogue is in force")
    for deployment in Deployment.objects.filter(retired_at=None):
        if why := _why_not_up(deployment, look=_look_at, waiting=_waiting()):
            sys.stderr.write(f"\nGatehouse cannot work with {deployment.name}: {why}\n")
            return False
    return True


def _look_at(deployment: Deployment) -> DeploymentState:
    from portal.airflow import health
    from portal.airflow.states import state_of

    health.check(deployment)
    return state_of(deployment)


def _why_not_up(
    deployment: Deployment, *, look: Callable[[Deployment], DeploymentState], waiting: Waiting
) -> str | None:
    """Check an Airflow until it is up (None), or return why it is not. A refused account ends the wait."""
    while True:
        state = look(deployment)
        if state.status == state.Status.UP:
            return None
        said = state.status_detail or "no answer yet"
        refused = state.status == state.Status.NEEDS_REAUTHENTICATION
        if refused or not waiting.goes_on(f"Airflow on {deployment.name}: {said}"):
            return said
        time.sleep(1)


def _waiting() -> Waiting:
    return Waiting(still=STILL, say=place.say, moved=lambda: sizes([place.LOGS, *place.FOLDER.glob("airflow*/logs")]))


def _wait_for_portal(url: str) -> None:
    waiting = _waiting()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy
    while True:
        try:
            with opener.open(f"{url}/health/ready", timeout=5):
                return
        except OSError as error:
            if not waiting.goes_on(f"the portal at {url} ({error})"):
                log = place.LOGS / "web.log"
                end = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""
                sys.exit(f"\nThe portal does not answer at {url} ({error}).\n--- end of {log}\n{end}")
            time.sleep(0.1)


def _write_down(url: str, ports: Mapping[str, int]) -> None:
    from accounts import people as lookup
    from portal.demo import people

    username, password = AIRFLOW_ADMIN
    airflows = [deployments.DEPLOYMENTS[name] for name in ports]
    login = {"username": username, "password": password}
    served = [{"name": one.name, "url": place.address(ports[one.name]), "api": one.api, **login} for one in airflows]
    persons: list[dict[str, Any]] = [
        {
            "username": name,
            "password": people.PASSWORD,
            "token": people.token_of(lookup.by_username(name)),
            "groups": groups,
        }
        for name, (_, groups) in people.PEOPLE.items()
    ]
    found = {
        "url": url,
        "config": str(place.CONFIG),
        "env": place.environment(url=url, deployments=ports),
        "deployments": served,
        "people": persons,
    }
    place.write_private(place.DEMO_JSON, json.dumps(found, indent=2) + "\n")
    place.say("ready")
    lines = [f"\n  {'Gatehouse':<15} {url}"]
    lines += [f"  {one.title:<15} {place.address(ports[one.name])}   ({username} / {password})" for one in airflows]
    lines += [""]
    lines += [f"  Sign in with the password {people.PASSWORD} as"]
    lines += [f"    {name:<10} {shown:<13} {', '.join(groups)}" for name, (shown, groups) in people.PEOPLE.items()]
    lines += [
        "",
        "  Logs are in .demo/logs. Ctrl-C stops everything and keeps the data; `make demo-reset` deletes it.\n",
    ]
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


def _django() -> None:
    import django

    django.setup()


def main(arguments: list[str]) -> int:
    part, *ports = arguments
    if part == "setup":
        return setup()
    parts: dict[str, Callable[[Mapping[str, int]], int]] = {"airflow": run_airflow, "finish": finish}
    return parts[part](deployments.with_ports(ports))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
