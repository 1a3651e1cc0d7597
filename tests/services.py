"""Real servers for tests: each started on a free loopback port with its files in a temporary folder, ended by its pid.

    with postgres() as url: ...          redis() as url

`python -m tests.services postgres -- COMMAND...` runs a command with TEST_DATABASE_URL naming such a server.
Raises NotInstalled where the machine lacks the server; tests/run.py installs it or says so.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

TIMEOUT = 30.0


class NotInstalled(Exception):
    """The server's program is not on this machine; `str()` names the Debian package that brings it."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find(program: str) -> str | None:
    """Debian keeps PostgreSQL's programs out of the PATH."""
    found = shutil.which(program)
    if found:
        return found
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: int(path.parts[-3]))
    return str(kept[-1]) if kept else None


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of its own; yields the address of its database `postgres`, owned by who connects."""
    initdb, server = find("initdb"), find("postgres")
    if not initdb or not server:
        raise NotInstalled("postgresql")
    with _folder("gatehouse-postgres-") as folder:
        become = _not_root(folder)
        data, port = folder / "data", free_port()
        options = ["--username=gatehouse", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        made = subprocess.run([initdb, "-D", data, *options], capture_output=True, text=True, **become)
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr}")
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "fsync": "off",
            "max_connections": 200,
        }
        command = [server, "-D", data, *(f"--{name}={value}" for name, value in settings.items())]
        # SIGINT is PostgreSQL's "fast shutdown": it does not wait for clients to leave
        with _running(command, folder / "log", stop=signal.SIGINT, ready=lambda: _postgres_answers(port), **become):
            yield f"postgres://gatehouse@127.0.0.1:{port}/postgres"


def new_database(url: str, name: str, *, template: str = "template1") -> str:
    """Make a database on the server at `url`, empty or a copy of `template`; its address."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return url.rpartition("/")[0] + f"/{name}"


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """A Redis of its own that keeps nothing; yields its address."""
    server = find("redis-server")
    if not server:
        raise NotInstalled("redis-server")
    with _folder("gatehouse-redis-") as folder:
        port = free_port()
        command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with _running(command, folder / "log", stop=signal.SIGTERM, ready=lambda: _accepts(port)):
            yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _not_root(folder: Path) -> dict[str, object]:
    """PostgreSQL refuses to run as root: root hands it over to the user its package made, or to nobody."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": folder}


@contextlib.contextmanager
def _running(
    command: list[object], log: Path, *, stop: signal.Signals, ready: Callable[[], bool], **options: object
) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=out, stderr=subprocess.STDOUT, start_new_session=True, **options
        )
    try:
        deadline = time.monotonic() + TIMEOUT
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{Path(str(command[0])).name} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _postgres_answers(port: int) -> bool:
    import psycopg

    try:
        psycopg.connect(f"postgresql://gatehouse@127.0.0.1:{port}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def main(arguments: list[str]) -> int:
    servers = {"postgres": (postgres, "TEST_DATABASE_URL"), "redis": (redis, "TEST_BROKER_URL")}
    name, _, *command = arguments
    server, variable = servers[name]
    with server() as url:
        return subprocess.run(command, env={**os.environ, variable: url}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
