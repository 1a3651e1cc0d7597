"""Disables Django's command: it records no event, and the portal uses roles instead of superusers."""

from __future__ import annotations

from django.contrib.auth.management.commands import createsuperuser

from portal.setup.commands import DisabledCommand


class Command(DisabledCommand, createsuperuser.Command):
    help = "Not possible here; see manage.py person add."
    said = (
        "createsuperuser is Django's own and is not possible here: nobody was added. Use manage.py person add "
        "{name} --group GROUP; gatehouse.toml says what members of a group may do ([groups])."
    )
