"""Django's command of this name, refused: it writes no event, and the portal asks for roles, not for superusers."""

from __future__ import annotations

from django.contrib.auth.management.commands import createsuperuser

from portal.setup.commands import NotHere


class Command(NotHere, createsuperuser.Command):
    help = "Not possible here; see manage.py person add."
    said = (
        "createsuperuser is Django's own and is not possible here: nobody was added. Use manage.py person add "
        "{name} --group GROUP; what members of a group may do in the portal, gatehouse.toml says ([groups])."
    )
