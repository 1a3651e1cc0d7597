from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from portal.setup.states import page


class Command(BaseCommand):
    help = "Print the state diagrams of requests, grants, operations and runs, or write them to docs/states.md."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help="write docs/states.md")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["write"]:
            (Path(settings.BASE_DIR) / "docs" / "states.md").write_text(page())
        else:
            self.stdout.write(page())
