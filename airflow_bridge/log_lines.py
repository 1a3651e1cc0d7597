"""The lines of task logs, read from the parts of a long answer in bounded memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from airflow_bridge.parser import moment
from airflow_bridge.types import LogLine

LONGEST = 2**20  # characters of one line of the answer; a longer one is cut
ENTRY = re.compile(r"\[\d{4}-[^\]]{10,40}\] \{[^}]{1,200}\} (?P<level>[A-Z]{4,8}) - ")
TRACEBACK = "Traceback (most recent call last):"


def cut(parts: Iterable[bytes]) -> Iterator[str]:
    """The lines of a text in UTF-8, without line breaks. At most LONGEST characters of each are kept."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    for part in parts:
        *lines, rest = (rest + decoder.decode(part)).split("\n")
        yield from (line[:LONGEST].rstrip("\r") for line in lines)
        rest = rest[: LONGEST + 1]
    if rest := rest + decoder.decode(b"", True):
        yield rest[:LONGEST]


def of_events(lines: Iterable[str]) -> Iterator[LogLine]:
    """Airflow 3: one JSON object for each event. A line that is no such object is shown as it is."""
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = line
        if line:
            yield from of_event(event)


def of_event(event: Any) -> list[LogLine]:
    """The lines of one event. What an exception said becomes lines too."""
    if not isinstance(event, dict):
        return [LogLine(str(event))]
    at, level = moment(event.get("timestamp")), event.get("level") or ""
    lines = [LogLine(line, at, level) for line in str(event["event"]).splitlines() or [""]]
    for error in event.get("error_detail") or ():
        frames, said = _traceback(error)
        lines += [LogLine(line, at, level) for line in frames]
        lines += [LogLine(line, at, level, is_error=not place) for place, line in enumerate(said)]
    return lines


def _traceback(error: Any) -> tuple[list[str], list[str]]:
    frames = [
        f'  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}' for frame in error.get("frames", ())
    ]
    said = f"{error['exc_type']}: {error['exc_value']}".splitlines()
    return [*([TRACEBACK] if frames else []), *frames], said


def of_text(lines: Iterable[str]) -> Iterator[LogLine]:
    """Airflow 2: text. The line after the frames of a traceback is the exception."""
    in_traceback, level = False, ""
    for line in lines:
        if entry := ENTRY.match(line):
            in_traceback, level = False, entry["level"].lower()
        if line.endswith(TRACEBACK):
            in_traceback = True
        elif in_traceback and line.strip() and not line.startswith((" ", "\t")):
            in_traceback = False
            yield LogLine(line, level=level, is_error=True)
            continue
        yield LogLine(line, level=level)
