"""`manage.py serve`: the complete portal on one machine."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.core import heartbeat, private
from portal.serving import processes


class Command(BaseCommand):
    help = "Runs web, worker and beat on this machine under one supervisor; Ctrl-C stops all of them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: 8000)")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        try:
            processes.check_port_free(host, port)
        except processes.PortBusy as error:
            raise CommandError(f"{error} Choose another port with --port, or stop that program.") from error
        private.exit_if_exposed()
        call_command("check", databases=["default"])
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        shown = f"[{host}]" if ":" in host else host
        self.stdout.write(f"Gatehouse is starting at http://{shown}:{port} (Ctrl-C stops it).")
        processes.become_supervisor(processes.portal_children(host=host, port=port, heartbeats=heartbeat.folder()))
