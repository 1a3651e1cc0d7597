"""Translates pydantic's errors into messages for the author of the file: line, key, reason, and what to do."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from portal.catalogue.document import Document
from portal.catalogue.mistakes import Mistake
from portal.catalogue.positions import Path

_TYPES = {
    "string_type": 'text in quotes, like "Op"',
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list in square brackets",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}


def in_words(detail: ErrorDetails, lines: Mapping[Path, int]) -> Mistake:
    """The message for one of pydantic's errors. `lines`: the positions in the file (positions.lines)."""
    path, kind, context = detail["loc"], detail["type"], detail.get("ctx", {})
    path = path[:-1] if path[-1:] == ("[key]",) else path
    if kind == "value_error":
        reason = str(context["error"])
    elif kind == "missing":
        reason = f"“{path[-1]}” is missing; write {path[-1]} = ..."
        return Mistake(line(path[:-1], lines), key(path), reason)
    elif kind == "extra_forbidden":
        reason = _unknownkey(path)
    elif kind in _TYPES:
        reason = f"this takes {_TYPES[kind]}, not {_shown(detail['input'])}."
    elif kind == "literal_error":
        reason = f"this takes {context['expected']}, not {_shown(detail['input'])}.{_meant(detail['input'], context)}"
    elif kind == "too_short":
        reason = "the list is empty; name at least one."
    elif kind in ("greater_than_equal", "less_than_equal"):
        limit = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        reason = f"this takes a number of {limit}, not {_shown(detail['input'])}."
    elif kind == "string_too_short":
        reason = "the text is empty."
    elif kind == "string_too_long":
        reason = f"the text is too long: at most {context['max_length']} characters."
    else:
        reason = f"{detail['msg'][:1].lower()}{detail['msg'][1:]}."
    return Mistake(line(path, lines), key(path), reason)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"“{value[:60]}”"
    if isinstance(value, bool):
        return str(value).lower()
    return "a table" if isinstance(value, dict) else "a list" if isinstance(value, list) else str(value)[:60]


def _meant(given: Any, context: dict[str, Any]) -> str:
    offered = re.findall(r"'([^']*)'", context["expected"])
    close = get_close_matches(given, offered, n=1) if isinstance(given, str) else []
    return f" Did you mean “{close[0]}”?" if close else ""


def _unknownkey(path: Sequence[str | int]) -> str:
    known = [field.alias or name for name, field in _model_at(path[:-1]).model_fields.items()]
    close = get_close_matches(str(path[-1]), known, n=1)
    hint = f"Did you mean “{close[0]}”?" if close else f"Possible: {', '.join(known)}."
    return f"there is no key “{str(path[-1])[:60]}” here. {hint}"


def _model_at(path: Sequence[str | int]) -> type[BaseModel]:
    """The model that describes the table at `path`."""
    model: type[BaseModel] = Document
    skip = False  # the name of a table of tables, or the number in an array of tables
    for part in path:
        if skip:
            skip = False
            continue
        annotation = model.model_fields[str(part)].annotation
        found = _model_in(annotation)
        if found is None:
            break
        model, skip = found, _plural(annotation)
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)


def _plural(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return any(_plural(arg) for arg in get_args(annotation))
    return origin in (list, dict)


def line(path: Sequence[str | int], lines: Mapping[Path, int]) -> int:
    """The line of the longest part of `path` that exists in the file."""
    for length in range(len(path), 0, -1):
        if (found := lines.get(tuple(path[:length]))) is not None:
            return found
    return 0


def key(path: Sequence[str | int]) -> str:
    """`entitlements[1].risk`. Array items are counted from 1."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += f".{part}" if text else part
    return text
