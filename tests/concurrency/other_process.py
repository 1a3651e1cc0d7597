"""What a test runs in processes of their own: a worker of the portal, or a program that knows nothing of its locks.

python -m tests.concurrency.other_process worker <part> <parts>
python -m tests.concurrency.other_process bare <url> <user> <password> <person> <role> ...
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from airflow_bridge import NotApplied, PasswordAuth, connect

TIMEOUT = 600.0  # seconds; far more than any of this takes, also on a machine with much else to do
REPOSITORY = Path(__file__).resolve().parents[2]


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """This module with `arguments`, in a new process. Its database is the one this process is connected to."""
    command = [sys.executable, "-m", "tests.concurrency.other_process", *arguments]
    given = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", **environment}
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(*processes: subprocess.Popen[str]) -> None:
    """Wait until all have ended well; none is left behind."""
    try:
        for process in processes:
            said, _ = process.communicate(timeout=TIMEOUT)
            assert process.returncode == 0, said
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.communicate()


def database_url() -> str:
    """Where another process finds the database of this test."""
    from django.db import connection

    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    return f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"


def work(part: int, parts: int) -> None:
    """Carry out every operation whose number is ours, as a worker does, until none is left."""
    import django

    django.setup()
    from portal.operations.models import Operation
    from tests.factories import attempt

    ended = time.monotonic() + TIMEOUT
    nobody_ends_it = threading.Event()
    while waiting := list(Operation.objects.filter(settled_at=None).order_by("pk").values_list("pk", flat=True)):
        assert time.monotonic() < ended, f"operations {waiting} are still waiting"
        mine = [number for number in waiting if number % parts == part]
        if mine:
            attempt(mine[0])
        nobody_ends_it.wait(0.002)  # its ordering_key may be busy: the other process has its turn


def add_one_by_one(url: str, account: tuple[str, str], person: str, roles: list[str]) -> None:
    """Read, add, write: what a program does that thinks it is alone, and so makes nothing of what it reads back."""
    airflow = connect(name="bare", url=url, api="v2", auth=PasswordAuth(*account), timeout=30)
    for role in roles:
        user = airflow.user(person)
        assert user
        with contextlib.suppress(NotApplied):
            airflow.set_roles(person, user.roles | {role})
    airflow.close()


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        work(int(sys.argv[2]), int(sys.argv[3]))
    else:
        add_one_by_one(sys.argv[2], (sys.argv[3], sys.argv[4]), sys.argv[5], sys.argv[6:])
