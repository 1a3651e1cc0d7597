"""The project's own files, for tests that read them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent.parent
ROOMS = ("accounts", "airflow_bridge", "portal")


@cache
def files() -> list[Path]:
    """The files of the repository: tracked files, and new files that .gitignore does not name.

    Without git (an unpacked archive), all files except those that the software creates.
    """
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=HOME,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        made = (".venv", ".airflow", ".demo", ".data", "__pycache__")
        return sorted(path for path in HOME.rglob("*") if path.is_file() and not set(path.parts) & set(made))
    return sorted(path for name in listed.stdout.split("\0") if name and (path := HOME / name).is_file())


def modules(*rooms: str) -> Iterator[tuple[str, ast.Module]]:
    """(path from HOME, syntax tree) of every module of our packages, without migrations."""
    for room in rooms or ROOMS:
        for path in sorted((HOME / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(HOME)), ast.parse(path.read_text(), filename=str(path))


def templates() -> Iterator[tuple[str, str]]:
    """(path from templates/, text) of every template."""
    folder = HOME / "templates"
    for path in sorted([*folder.rglob("*.html"), *folder.rglob("*.txt"), *folder.rglob("*.svg")]):
        yield str(path.relative_to(folder)), path.read_text()
