"""Django's command of this name, refused: it saves a person whole, ends no session or token, and writes no event."""

from __future__ import annotations

from typing import Any, NoReturn

from django.contrib.auth.management.commands import changepassword

from accounts.commands import Refusal


class Command(changepassword.Command):
    requires_migrations_checks = False
    help = "Not possible here; see manage.py person reset."

    def handle(self, *args: Any, **options: Any) -> NoReturn:
        name = options["username"] or "NAME"
        raise Refusal(
            "changepassword is Django's own and is not possible here: nothing was changed. Use manage.py person reset "
            f"{name} (--password-stdin reads the password); it ends sessions and tokens and is recorded."
        )
