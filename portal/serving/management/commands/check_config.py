"""`manage.py check_config`: prints the settings, their sources, and whether they work."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal import env
from portal.serving import config_checks


class Command(BaseCommand):
    help = "Prints every setting with its source, and checks database, broker, configuration file and secrets."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        readings = sorted(env.readings.values(), key=lambda reading: reading.name)
        results = config_checks.run()
        if options["json"]:
            found = {"settings": [asdict(reading) for reading in readings], "checks": [asdict(one) for one in results]}
            self.stdout.write(json.dumps(found, indent=2, ensure_ascii=False))
        else:
            width = max(len(reading.name) for reading in readings)
            for reading in readings:
                self.stdout.write(f"{reading.name:<{width}}  {reading.shown or '(empty)'}  [{reading.source}]")
            self.stdout.write("")
            for one in results:
                self.stdout.write(f"{_mark(one)}  {one.name}: {one.said}")
        if not all(one.ok for one in results):
            sys.exit(1)


def _mark(one: config_checks.Result) -> str:
    return "WRONG" if not one.ok else "note " if one.warning else "ok   "
