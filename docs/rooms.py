"""Writes the table of packages (rooms) in README.md: layers from pyproject.toml, purpose and imports of each.

python docs/rooms.py --write
"""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import grimp

HOME = Path(__file__).resolve().parent.parent
README = HOME / "README.md"
BEGIN, END = "<!-- rooms: drawn by docs/rooms.py -->", "<!-- end of rooms -->"


def layers() -> list[list[str]]:
    """The rooms by layer, highest layer first. Rooms of one layer do not import each other."""
    contracts = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    found = next(one["layers"] for one in contracts if one["type"] == "layers")
    return [layer.replace(":", "|").replace(" ", "").split("|") for layer in found]


def purpose(room: str) -> str:
    """The first line of the docstring of its package."""
    tree = ast.parse((HOME / room.replace(".", "/") / "__init__.py").read_text())
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def picture() -> str:
    """The Markdown table, one row per room."""
    graph = grimp.build_graph("portal", "accounts", "airflow_bridge", cache_dir=None)
    rooms = [room for layer in layers() for room in layer]
    imported = {
        room: [
            other
            for other in [*rooms, "airflow_bridge"]
            if other != room and graph.direct_import_exists(importer=room, imported=other, as_packages=True)
        ]
        for room in rooms
    }
    lines = ["| | room | what it is for | imports |", "|---|---|---|---|"]
    for number, layer in enumerate(layers(), start=1):
        for room in layer:
            below = ", ".join(f"`{_short(other)}`" for other in imported[room])
            lines.append(f"| {number} | `{room.replace('.', '/')}/` | {purpose(room)} | {below} |")
    return "\n".join(lines)


def _short(room: str) -> str:
    return room.removeprefix("portal.")


def readme() -> str:
    """README.md with the present table."""
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{picture()}\n\n{END}{after}"


if __name__ == "__main__":
    sys.path.insert(0, str(HOME))
    if "--write" in sys.argv:
        README.write_text(readme())
    else:
        sys.stdout.write(picture() + "\n")
