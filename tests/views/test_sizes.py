"""One scale of type at the browser's own root, and every distance on a grid of 4 px."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CSS = Path(__file__).parent.parent.parent / "static" / "css"
SCALE = {"--text-13": 13, "--text-15": 15, "--text-18": 18, "--text-24": 24, "--text-32": 32}
ROOT = 16
HAIRLINE = 3  # px; borders, outlines and what makes up for them
DISTANCES = re.compile(r"(?:margin|padding|gap|inset|--s\d|--row|--control|--rail|--top|--bar)[a-z-]*")
DECLARATION = re.compile(r"([a-z0-9-]+):\s*([^;{}]+)")
LENGTH = re.compile(r"(?<![\w.#-])(-?\d*\.?\d+)(px|r?em|pt)\b")


def declarations() -> Iterator[tuple[str, str, str]]:
    """(file, property, value) of every style sheet, comments and conditions left out."""
    for path in sorted(CSS.glob("*.css")):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        for name, value in DECLARATION.findall(re.sub(r"@(?:media|supports)[^{]*{", "{", text)):
            yield path.name, name, value.strip()


def off_grid(value: str) -> list[str]:
    """The lengths in `value` that are neither a multiple of 4 px nor a hairline."""
    found = []
    for number, unit in LENGTH.findall(value):
        pixels = float(number) * (ROOT if unit == "rem" else 1)
        if unit in ("em", "pt") or (pixels % 4 and abs(pixels) > HAIRLINE):
            found.append(f"{number}{unit}")
    return found


@pytest.mark.parametrize(
    ("value", "found"),
    [("0 6px", ["6px"]), ("0.35em", ["0.35em"]), ("1px 0.5rem", []), ("calc(50% + 0.4rem)", ["0.4rem"])],
)
def test_the_guard_sees_what_it_looks_for(value, found):
    assert off_grid(value) == found


def test_the_scale_is_the_one_of_the_design():
    tokens = {name: value for _, name, value in declarations() if name.startswith("--text-")}
    assert {name: float(value.removesuffix("rem")) * ROOT for name, value in tokens.items()} == SCALE


def test_every_size_of_type_is_of_the_scale():
    sizes = [(file, name, value) for file, name, value in declarations() if name in ("font-size", "font")]
    assert not [entry for entry in sizes if not re.search(r"var\(--text-|inherit", entry[2])]


def test_the_root_keeps_the_browsers_size():
    rules = re.findall(r"(?:^|[},;])\s*(?:html|:root)\s*{([^}]*)}", "\n".join(p.read_text() for p in CSS.glob("*.css")))
    assert rules
    assert not [rule for rule in rules if re.search(r"(?<![\w-])font(?:-size)?\s*:", rule)]


def test_distances_are_on_the_grid():
    found = {
        f"{file}: {name}: {value}"
        for file, name, value in declarations()
        if DISTANCES.fullmatch(name) and off_grid(value)
    }
    assert not found
