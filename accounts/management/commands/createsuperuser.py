"""Django's command of this name, refused: it writes no event, and the portal asks for roles, not for superusers."""

from __future__ import annotations

from typing import Any, NoReturn

from django.contrib.auth.management.commands import createsuperuser

from accounts.commands import Refusal


class Command(createsuperuser.Command):
    requires_migrations_checks = False
    help = "Not possible here; see manage.py person add."

    def handle(self, *args: Any, **options: Any) -> NoReturn:
        name = options["username"] or "NAME"
        raise Refusal(
            "createsuperuser is Django's own and is not possible here: nobody was added. Use manage.py person add "
            f"{name} --group GROUP; what members of a group may do in the portal, gatehouse.toml says ([groups])."
        )
