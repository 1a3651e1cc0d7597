"""One measurement: `python -m benchmarks.clients.<who> CASE URL COUNT` does one case and prints one line of JSON.

Standard library only: Apache's clients live in environments of their own.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

THREADS = 8
ACCOUNT = ("admin", "admin-password")


class Client(Protocol):
    """Signed in when it is made. Whatever it cannot do is no method of it."""

    def users_2(self) -> int:
        """Go through all users of an Airflow 2; how many there were."""

    def users_3(self) -> int: ...
    def dags(self) -> int:
        """The same with the DAGs of an Airflow 3."""

    def dag(self, dag_id: str) -> str:
        """Read one DAG of an Airflow 3, with its details; its id."""


def main(make: Callable[[str], Client]) -> None:
    case, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    client = make(url)
    began, worked = time.perf_counter(), time.process_time()
    if case == "reads":
        done = sum(client.dag(name) == name for name in _names(count))
    elif case == "reads_at_once":
        with ThreadPoolExecutor(THREADS) as threads:
            done = sum(threads.map(lambda name: client.dag(name) == name, _names(count)))
    else:
        done = getattr(client, case)()
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    if done != count:
        sys.exit(f"{done} instead of {count}")
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu": cpu, "memory": _peak()}) + "\n")


def _names(count: int) -> list[str]:
    return [f"dag_{number:05}" for number in range(count)]


def _peak() -> int:
    """The most memory this process ever had, in bytes."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        # bytes on macOS
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    # not ru_maxrss: on Linux a new process begins with that of the one that started it
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
