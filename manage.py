#!/usr/bin/env python
"""Gatehouse's command line: `manage.py help` lists the commands."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if sys.argv[1:2] == ["demo"]:
        _enter_the_demo()
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # the message is complete without a traceback
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


def _enter_the_demo() -> None:
    """Select the demo's data folder. Must run before Django's settings are read."""
    from portal.demo import place

    try:
        place.enter()
    except place.NotTheDemo as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
