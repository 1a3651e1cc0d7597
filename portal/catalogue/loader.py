"""Reads gatehouse.toml. Returns a valid document, or refuses the file with all its mistakes."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from portal.catalogue import explain, positions, references
from portal.catalogue.document import Document
from portal.catalogue.mistakes import FileRefused, Mistake

LARGEST = 2_000_000  # bytes
_SYNTAX = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)")


@dataclass(frozen=True)
class Loaded:
    """A valid file. `source` is its text, byte for byte."""

    name: str
    source: str
    sha256: str
    document: Document


def load(path: Path) -> Loaded:
    """Read and check a file. Raises FileRefused with every mistake."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        way_out = " `manage.py catalogue init` writes a first one." if isinstance(error, FileNotFoundError) else ""
        raise _refused(path.name, f"it cannot be read: {error.strerror}.{way_out}") from None
    return loads(raw, name=path.name)


def loads(raw: bytes, *, name: str) -> Loaded:
    """`load`, for the bytes of a file called `name`."""
    if len(raw) > LARGEST:
        raise _refused(name, f"it has {len(raw)} bytes; at most {LARGEST} are read.")
    try:
        text = raw.decode()
        data = tomllib.loads(text)
        lines = positions.lines(text.replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _refused(name, "this is not UTF-8. Save the file as UTF-8.", line) from None
    except tomllib.TOMLDecodeError as error:
        raise _refused(name, *_syntax(str(error), text)) from None
    except RecursionError:
        raise _refused(name, "it is nested too deeply.") from None
    return Loaded(name, text, hashlib.sha256(raw).hexdigest(), _document(data, lines, name))


def _document(data: dict[str, Any], lines: dict[positions.Path, int], name: str) -> Document:
    try:
        document = Document.model_validate(data)
    except ValidationError as error:
        found = [explain.in_words(detail, lines) for detail in error.errors(include_url=False)]
        raise FileRefused(name, set(found)) from None
    wrong = [
        Mistake(explain.line(path, lines), explain.key(path), reason) for path, reason in references.problems(document)
    ]
    if wrong:
        raise FileRefused(name, wrong)
    return document


def _refused(name: str, reason: str, line: int = 0) -> FileRefused:
    return FileRefused(name, [Mistake(line, "", reason)])


def _syntax(said: str, text: str) -> tuple[str, int]:
    match = _SYNTAX.fullmatch(said)
    what = match["what"] if match else said
    line = int(match["line"]) if match and match["line"] else text.count("\n") + 1
    return f"this is not TOML: {what[:1].lower()}{what[1:]}.", line
