"""Disables Django's command: it saves all columns of a person, ends no session or token, and records no event."""

from __future__ import annotations

from django.contrib.auth.management.commands import changepassword

from portal.setup.commands import DisabledCommand


class Command(DisabledCommand, changepassword.Command):
    help = "Not possible here; see manage.py person reset."
    said = (
        "changepassword is Django's own and is not possible here: nothing was changed. Use manage.py person reset "
        "{name} (--password-stdin reads the password); it ends sessions and tokens and is recorded."
    )
