"""Results of a run: the XComs that the catalogue names, as text. Credentials are hidden."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypedDict
from urllib.parse import urlsplit

from portal.core.secrecy import HIDDEN, holds_secret, mask
from portal.dags.models import Run, RunTasks

LONGEST = 4000  # characters of a result that are stored


class Result(TypedDict):
    """name: task.key. problem: in words, why there is no value; empty if there is one."""

    name: str
    value: str
    problem: str


def result(name: str, value: Any = None, *, problem: str = "") -> Result:
    """A result as it is stored. value: as JSON has it."""
    text = "" if problem else _shown(name, value)
    return {"name": name, "value": text, "problem": problem}


def _shown(name: str, value: Any) -> str:
    masked = mask(value, name=name.rpartition(".")[2])
    if isinstance(masked, str):
        text = HIDDEN if holds_secret(masked) else masked
    else:
        text = json.dumps(masked, ensure_ascii=False, indent=2)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def link(value: str) -> str:
    """The value if it is an http(s) address that can be opened; else empty."""
    if any(character.isspace() for character in value) or len(value) > 2000:
        return ""
    try:
        parts = urlsplit(value)
    except ValueError:
        return ""
    return value if parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc else ""


def store(run: Run, found: Iterable[Result], *, ended_at: datetime | None) -> None:
    RunTasks.objects.filter(run=run).update(results=list(found), results_at=ended_at)
