"""`manage.py demo`, usually started by `make demo`."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.demo import deployments, place, start
from portal.serving import processes


class Command(BaseCommand):
    help = "Runs the portal with a real Airflow, example people and an example catalogue, on this machine only."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reset", action="store_true", help="delete the demo's data instead of starting")

    def handle(self, *args: Any, reset: bool, **options: Any) -> None:
        os.environ[place.STARTED] = str(time.time())
        try:
            place.check_entered()
            airflows = _wanted(os.environ.pop("AIRFLOW", ""))
            lock = start.only_one()
            if reset:
                start.reset()
                self.stdout.write("The demo's data is deleted. `make demo` starts a new demo.")
                return
            self._start(lock, airflows)
        except (start.CannotStart, place.NotTheDemo) as error:
            raise CommandError(str(error)) from error

    def _start(self, lock: int, airflows: tuple[deployments.Deployment, ...]) -> None:
        port, *claims = start.choose_port(8000, whose="the portal", say=place.say)
        ports: dict[str, int] = {}
        for airflow in airflows:
            ports[airflow.name], claim = start.choose_port(airflow.port, whose=airflow.title, say=place.say)
            claims.append(claim)
        url = place.address(port)
        start.write_down(lock, url=url)
        start.prepare(ports=ports)
        os.environ.update(place.environment(url=url, deployments=ports))
        place.say(f"starting {' and '.join(airflow.title for airflow in airflows)}, and the portal")
        part = [sys.executable, "-m", "portal.demo.parts"]
        given = [f"{name}={chosen}" for name, chosen in ports.items()]
        children: processes.Plan = [
            *(
                {"name": airflow.folder, "argv": [*part, "airflow", one], "grace": 3.5}
                for airflow, one in zip(airflows, given, strict=True)
            ),
            {"name": "setup", "argv": [*part, "setup"], "job": True},
            *processes.portal_children(
                host=place.HOST, port=port, heartbeats=place.DATA / "processes", logs=place.LOGS, after=["setup"]
            ),
            {"name": "finish", "argv": [*part, "finish", *given], "job": True, "after": ["setup"]},
        ]
        processes.become_supervisor(children, keep_open=[lock, *claims], mark=start.MARK)


def _wanted(airflow: str) -> tuple[deployments.Deployment, ...]:
    try:
        return deployments.wanted(airflow)
    except ValueError as error:
        raise start.CannotStart(str(error)) from error
