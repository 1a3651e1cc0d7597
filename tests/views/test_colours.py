"""Every pair of ink and ground that the style uses has a contrast of at least 4.5, in both colour schemes."""

import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "static" / "css" / "tokens.css"
MEANINGS = ("good", "waiting", "attention", "refused")
PAIRS = [
    *[(ink, ground) for ink in ("ink", "muted") for ground in ("paper", "sheet", "sunk")],
    *[("accent", ground) for ground in ("paper", "sheet", "sunk", "accent-soft")],
    *[("accent-strong", ground) for ground in ("paper", "accent-soft")],
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-refused", "refused"),
    *[(meaning, ground) for meaning in MEANINGS for ground in ("paper", "sheet", f"{meaning}-soft")],
    *[("ink", f"{meaning}-soft") for meaning in (*MEANINGS, "accent")],
]


def colours() -> dict[str, tuple[str, str]]:
    found = re.findall(r"--([\w-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\)", TOKENS.read_text())
    return {name: (light, dark) for name, light, dark in found}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_itself():
    assert contrast("000000", "ffffff") == pytest.approx(21)
    assert contrast("767676", "ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_can_be_read(ink, ground, scheme):
    known = colours()
    assert contrast(known[ink][scheme], known[ground][scheme]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "sheet"])
def test_edges_of_controls_can_be_seen(ground, scheme):
    known = colours()
    assert contrast(known["edge"][scheme], known[ground][scheme]) >= 3
