"""Environments of their own for Apache's clients, so that nothing of them gets into the portal's."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
FOLDER = HOME / ".bench"


class NotInstalled(Exception):
    """Why not."""


def official(generation: int) -> Path:
    """The Python that has apache-airflow-client for Airflow 2 or 3, installed on first use. Raises NotInstalled."""
    folder, lock = FOLDER / f"client-{generation}", HOME / "requirements" / f"bench-{generation}.txt"
    python, stamp = folder / "bin" / "python", folder / "complete"
    wanted = f"{hashlib.sha256(lock.read_bytes()).hexdigest()} {sys.version}\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    sys.stdout.write(f"  installing requirements/{lock.name} into {folder.relative_to(HOME)} (once) ...\n")
    uv = [sys.executable, "-m", "uv"]
    _run(*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
    _run(*uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(lock))
    stamp.write_text(wanted)
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NotInstalled(done.stderr.strip())
