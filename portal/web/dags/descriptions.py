"""The description of a parameter as text: `description`, or `description_md` without the marks of Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LONGEST = 1000  # characters
LINK = re.compile(r"!?\[([^\]\[]{1,200})\]\(([^()\s]{1,400})\)")
MARKS = (
    re.compile(r"(\*\*|__)(?=\S)(.{1,400}?)(?<=\S)\1"),
    re.compile(r"(?<![\w*])([*_])(?=[^\s*_])([^*_\n]{1,400})(?<=\S)\1(?![\w*])"),
    re.compile(r"(``?)([^`\n]{1,400})\1"),
)
HEADING = re.compile(r"^#{1,6} +", re.MULTILINE)


def description(schema: Mapping[str, Any]) -> str:
    """In one line, cut if it is long; empty if the DAG says nothing."""
    if said := schema.get("description"):
        return str(said)[:LONGEST]
    return _plain(str(schema.get("description_md") or "")[:LONGEST])


def _plain(text: str) -> str:
    text = HEADING.sub("", LINK.sub(r"\1 (\2)", text))
    for mark in MARKS:
        text = mark.sub(r"\2", text)
    return " ".join(text.split())
