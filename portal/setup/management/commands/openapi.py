"""Prints the API's OpenAPI document, whose copy is docs/openapi.json."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from portal.api.api import api

FILE = Path("docs/openapi.json")


def document() -> str:
    return json.dumps(api.get_openapi_schema(path_prefix="/api/v1/"), indent=2, ensure_ascii=False) + "\n"


class Command(BaseCommand):
    help = "Print the API's OpenAPI document; with --write, update docs/openapi.json."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--write", action="store_true", help=f"write {FILE} instead of printing")

    def handle(self, *args: Any, write: bool, **options: Any) -> None:
        if write:
            (settings.BASE_DIR / FILE).write_text(document())
        else:
            self.stdout.write(document(), ending="")
