"""manage.py reference: writes the generated pages of docs/. A test fails if one is out of date."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from accounts import matrix
from portal.catalogue import schema

PAGES = {"docs/permissions.md": matrix.markdown, "docs/gatehouse.schema.json": schema.text}


class Command(BaseCommand):
    help = "Write the generated pages of docs/."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        for name, page in PAGES.items():
            path = settings.BASE_DIR / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(page())
            self.stdout.write(name)
