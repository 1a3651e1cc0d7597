"""The project's own files, for guards that read them."""

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
    """What is, or would be, in the repository: tracked files and new ones that .gitignore does not name.

    Where there is no git (an unpacked archive), everything but what is made by running.
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
    """(path from the top, syntax tree) of every module of our rooms, migrations left out."""
    for room in rooms or ROOMS:
        for path in sorted((HOME / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(HOME)), ast.parse(path.read_text(), filename=str(path))


def templates() -> Iterator[tuple[str, str]]:
    """(path from templates/, text) of every template of ours."""
    folder = HOME / "templates"
    for path in sorted([*folder.rglob("*.html"), *folder.rglob("*.txt"), *folder.rglob("*.svg")]):
        yield str(path.relative_to(folder)), path.read_text()
