"""`manage.py demo`, usually by way of `make demo`."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.demo import place, start
from portal.serving import family


class Command(BaseCommand):
    help = "Runs the portal with a real Airflow, people and a catalogue to try it with, on this machine alone."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reset", action="store_true", help="forget the demo's data instead of starting")

    def handle(self, *args: Any, reset: bool, **options: Any) -> None:
        os.environ[place.STARTED] = str(time.time())
        try:
            place.check_entered()
            _check_airflow(os.environ.pop("AIRFLOW", ""))
            lock = start.only_one()
            if reset:
                start.reset()
                self.stdout.write("The demo's data is gone. `make demo` starts over.")
                return
            self._start(lock)
        except (start.CannotStart, place.NotTheDemo) as error:
            raise CommandError(str(error)) from error

    def _start(self, lock: int) -> None:
        port, claim = start.choose_port(8000, whose="the portal", say=place.say)
        airflow_port, airflow_claim = start.choose_port(8080, whose="Airflow", say=place.say)
        url, airflow_url = (f"http://{start.HOST}:{number}" for number in (port, airflow_port))
        start.write_down(lock, url=url)
        start.prepare(airflow_url=airflow_url)
        os.environ.update(place.environment(url=url))
        place.say("starting Airflow and the portal")
        part = [sys.executable, "-m", "portal.demo.parts"]
        children: family.Plan = [
            {"name": "airflow", "argv": [*part, "airflow", str(airflow_port)], "grace": 3.5},
            {"name": "setup", "argv": [*part, "setup"], "job": True},
            *family.portal_children(host=start.HOST, port=port, logs=place.LOGS, after=["setup"]),
            {"name": "finish", "argv": [*part, "finish", str(airflow_port)], "job": True, "after": ["setup"]},
        ]
        family.hand_over(children, keep_open=[lock, claim, airflow_claim], mark=start.MARK)


def _check_airflow(wanted: str) -> None:
    if wanted not in ("", "3", "3.3.2"):
        raise start.CannotStart(f"AIRFLOW={wanted} is not known. The demo has Airflow 3.3.2; leave AIRFLOW out.")
