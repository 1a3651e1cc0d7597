"""The processes a portal consists of, and handing them over to the supervisor."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from portal.serving import child_env, supervisor

CONNECTIONS = 4096  # of the web server at once; one that waits costs it a few kilobytes
HEADERS_WITHIN = 10  # seconds, also for the next request of a connection that is kept
WEB_THREADS = 8  # views wait for the database and now and then for Airflow; more threads only contend for one processor


class PortBusy(Exception):
    """Somebody else listens there already; `str()` names the port."""


ENDS_WITHIN = 3  # seconds of the web server when it is told to end; a reader that stands still would keep it longer
Plan = list[dict[str, Any]]
STILL = {"web": 30.0, "worker": 30.0, "beat": 120.0}
"""Seconds after which one that stands still is started again. Beat has no hurry: it asks for upkeep once an hour."""


def portal_children(*, host: str, port: int, alive: Path, logs: Path | None = None, after: Iterable[str] = ()) -> Plan:
    """Web, worker and beat as entries of the supervisor's plan, each with the environment it needs.

    alive: folder of the processes' heartbeat files (portal.core.heartbeat). logs: folder for one log file each; without
    it they write to our own output. after: jobs they wait for.
    """
    web = ["granian", "--interface", "asginl", "--host", host, "--port", str(port), "--workers", "1", "--http", "1"]
    web += ["--no-ws", "--loop", "asyncio", "--log-level", "warning", "--backpressure", str(CONNECTIONS)]
    web += ["--http1-header-read-timeout", str(HEADERS_WITHIN * 1000)]
    web += ["--workers-kill-timeout", str(ENDS_WITHIN)]
    worker = ["celery", "-A", "portal.celery", "worker", "--pool", "threads", "-c", "2", "--loglevel", "INFO"]
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    # beat is a process of its own: inside the worker (-B) nobody would notice its end
    beat = ["celery", "-A", "portal.serving.beat", "beat", "--loglevel", "WARNING", "--pidfile", ""]
    runner = child_env.runner_variables()
    commands = {"web": [*web, "portal.serving.web:application"], "worker": worker, "beat": beat}
    return [
        {
            "name": name,
            "argv": [sys.executable, "-m", *command],
            "env": child_env.names_for(name, os.environ, runner=runner),
            "after": list(after),
            "log": str(logs / f"{name}.log") if logs else "",
            "alive": str(alive),
            "still": STILL[name],
        }
        for name, command in commands.items()
    ]


def check_free(host: str, port: int) -> None:
    """Raises PortBusy. The web server itself would not notice: it shares its port with whoever lets it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortBusy(f"Port {port} on {host} is in use by another program.") from error
            raise PortBusy(f"Port {port} on {host} cannot be used: {error.strerror}.") from error


def hand_over(children: Plan, *, keep_open: Iterable[int] = (), mark: str = "") -> NoReturn:
    """Become the supervisor of these children.

    keep_open: file descriptors it holds until all is ended, such as a lock's. mark: a name for the family by which
    `supervisor.clear` finds what is left of an earlier one (default: one of its own).
    The process is replaced: what Django had loaded is gone, and signals sent to its number reach the supervisor.
    """
    descriptors = list(keep_open)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    plan = json.dumps({"children": children, "keep_open": descriptors, "mark": mark})
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-I", "-S", supervisor.__file__, plan])  # noqa: S606
