"""Makes .venv and installs hashed requirements into it: `python requirements/install.py base|dev`.

Runs with the machine's Python before anything is installed: standard library only. What is complete is stamped with a
digest of the requirements and the Python they are for; an interrupted or outdated installation is done again. uv does
the work where it can be had, else pip.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

REPOSITORY = Path(__file__).resolve().parent.parent
LOCKS = REPOSITORY / "requirements"
SPACE_NEEDED = {"base": 250, "dev": 700}  # MB
NO_SPACE = re.compile(r"No space left|Errno 28|Disk quota exceeded", re.IGNORECASE)
NO_NETWORK = re.compile(
    r"name resolution|Name or service not known|dns error|Failed to fetch|error sending request|Connection refused"
    r"|NewConnectionError|Network is unreachable|No matching distribution|timed out|ProxyError",
    re.IGNORECASE,
)


class CannotInstall(Exception):
    """Why not, and the way out."""


def install(what: str, venv: Path) -> None:
    """Bring `venv` up to requirements/<what>.txt. Raises CannotInstall."""
    lock, stamp = LOCKS / f"{what}.txt", venv / f"complete-{what}"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest() + f" {sys.version_info.major}.{sys.version_info.minor}\n"
    python = venv / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted and python.exists():
        return
    began = time.monotonic()
    free = shutil.disk_usage(venv.parent).free // 2**20
    if free < SPACE_NEEDED[what]:
        raise CannotInstall(
            f"The disk is full: {SPACE_NEEDED[what]} MB are needed in {venv.parent}, {free} MB are free."
        )
    say(f"  installing requirements/{what}.txt into {venv.name} (once) ...")
    stamp.unlink(missing_ok=True)
    _make_environment(venv)
    run(python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", LOCKS / "uv.txt", must=False)
    packages = ["pip", "install", "--quiet", "--require-hashes", "-r", lock]
    if run(python, "-m", "uv", *packages, "--python", python, must=False):  # no uv, or one that cannot reach its index
        run(python, "-m", *packages)
    stamp.write_text(wanted)
    say(f"  installed in {time.monotonic() - began:.0f} s")


def _make_environment(venv: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    same = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
    usable = (venv / "bin" / "python").exists() and not run(venv / "bin" / "python", "-c", same, must=False)
    if usable and not run(venv / "bin" / "python", "-m", "pip", "--version", must=False):
        return
    if run(sys.executable, "-m", "venv", *([] if usable else ["--clear"]), venv, must=False):
        raise CannotInstall(
            f"{sys.executable} cannot make a virtual environment in {venv}:\n{LAST[0]}\n"
            f"On Debian and Ubuntu its module is a package of its own: apt install python{version}-venv"
        )


LAST = [""]  # the end of what the last command said


def run(*command: object, must: bool = True) -> int:
    """Run a command quietly; its exit code. Raises CannotInstall with the likely cause when it fails and `must`."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
        # what the person's own Python environment says must not reach into this one
        env={name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
    )
    LAST[0] = "\n".join(done.stdout.splitlines()[-12:])
    if done.returncode and must:
        raise CannotInstall(f"{_cause(done.stdout)}\n--- the end of what the installer said\n{LAST[0]}")
    return done.returncode


def _cause(said: str) -> str:
    if NO_SPACE.search(said):
        return "The disk is full. Free some space and start again."
    if NO_NETWORK.search(said):
        return (
            "The packages cannot be reached. The first start needs the network once (PyPI, or your own index as "
            "configured for pip or uv); later starts do not."
        )
    return "The packages could not be installed."


def say(line: str, to: TextIO = sys.stdout) -> None:
    to.write(f"{line}\n")
    to.flush()


def main() -> int:
    what = sys.argv[1]
    # two at once would break each other's work; the lock is the operating system's, so nobody has to clear it up
    with (LOCKS / f"{what}.txt").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            install(what, REPOSITORY / ".venv")
        except CannotInstall as error:
            say(f"\n{error}", sys.stderr)
            return 1
        except OSError as error:
            say(f"\n{_cause(str(error))}\n{error}", sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
