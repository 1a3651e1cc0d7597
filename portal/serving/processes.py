"""The portal's processes, and starting the supervisor for them."""

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

CONNECTIONS = 4096  # simultaneous connections to the web server; an idle one costs a few kilobytes
HEADERS_WITHIN = 10  # seconds for a request's headers, also on a kept-alive connection
WEB_THREADS = 8  # views wait for the database and sometimes for Airflow; more threads only compete for one processor


class PortBusy(Exception):
    """Another program listens on the port. `str()` names the port."""


KILLED_AFTER = 3  # seconds until the web server is killed; a stalled reader would delay its end
Plan = list[dict[str, Any]]
HANGS_AFTER = {"web": 30.0, "worker": 30.0, "beat": 120.0}
"""Seconds after which a hung process is restarted. Beat may take longer: it starts upkeep only once an hour."""


def portal_children(
    *, host: str, port: int, heartbeats: Path, logs: Path | None = None, after: Iterable[str] = ()
) -> Plan:
    """Web, worker and beat as entries of the supervisor's plan, each with the environment it needs.

    heartbeats: folder of the heartbeat files (portal.core.heartbeat). logs: folder for one log file per process;
    without it the processes write to our own output. after: names of jobs they wait for.
    """
    web = ["granian", "--interface", "asginl", "--host", host, "--port", str(port), "--workers", "1", "--http", "1"]
    web += ["--no-ws", "--loop", "asyncio", "--log-level", "warning", "--backpressure", str(CONNECTIONS)]
    web += ["--http1-header-read-timeout", str(HEADERS_WITHIN * 1000)]
    web += ["--workers-kill-timeout", str(KILLED_AFTER)]
    worker = ["celery", "-A", "portal.celery", "worker", "--pool", "threads", "-c", "2", "--loglevel", "INFO"]
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    # beat is a separate process: inside the worker (-B) its end would not be noticed
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
            "heartbeats": str(heartbeats),
            "hangs_after": HANGS_AFTER[name],
        }
        for name, command in commands.items()
    ]


def check_port_free(host: str, port: int) -> None:
    """Raises PortBusy. The web server does not check this itself: it would share a port that another program shares."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortBusy(f"Port {port} on {host} is in use by another program.") from error
            raise PortBusy(f"Port {port} on {host} cannot be used: {error.strerror}.") from error


def become_supervisor(children: Plan, *, keep_open: Iterable[int] = (), mark: str = "") -> NoReturn:
    """Replace this process by the supervisor of these children.

    keep_open: file descriptors that the supervisor holds until all children have ended, for example of a lock.
    mark: a name for this set of processes. With a fixed name, `supervisor.clear` finds what an earlier start left. By
    default, a new name.
    What Django loaded is released. The process number stays, so signals reach the supervisor.
    """
    descriptors = list(keep_open)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    plan = json.dumps({"children": children, "keep_open": descriptors, "mark": mark})
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-I", "-S", supervisor.__file__, plan])  # noqa: S606
