"""Which parts of a DAG parameter the JSON Schema declares secret, and the schema without values for secret parts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from portal.core.secrecy import ANY, DEEPEST, Path, mask, sounds_secret
from portal.core.text import fold

PARTS_AT_MOST = 2000  # subschemas that are read of one schema
ALTERNATIVES = ("allOf", "anyOf", "oneOf", "prefixItems")
AGAIN: Mapping[str, Any] = {}
PARTS = ("if", "then", "else", "not")
NAMED = ("properties", "patternProperties", "$defs", "definitions")
VALUE_KEYWORDS = ("default", "const", "enum", "examples", "example")  # schema keywords that hold values


@dataclass(frozen=True)
class Place:
    """A secret parameter or a secret part of one. `text`: it takes plain text, otherwise a JSON value."""

    path: Path
    text: bool


def declared_in(name: str, schema: Any) -> list[Path]:
    """The paths that the schema of the parameter `name` declares secret (`format: password`, `writeOnly`)."""
    return _declared((name,), schema, schema)


def _declared(at: Path, schema: Any, root: Any) -> list[Path]:
    """If a recursive schema declares a secret, the complete value is secret, because the secret may be at any depth."""
    parts = list(itertools.islice(_walk(at, schema, root), PARTS_AT_MOST))
    found = list(dict.fromkeys(path for path, part in parts if _is_declared(part)))
    endless = len(parts) == PARTS_AT_MOST or any(part is AGAIN for _, part in parts)
    return [at] if found and endless else found


def places(name: str, value: Any, schema: Any) -> list[Place]:
    """The paths at which the parameter `name` takes secrets, outermost first; from its default and its schema."""
    declared = declared_in(name, schema)
    parts: dict[Path, Any] = {}
    for path, part in itertools.islice(_walk((name,), schema, schema), PARTS_AT_MOST):
        parts.setdefault(path, part)
    for path in _named(name, value):
        parts.setdefault(path, {})
    found: list[Place] = []
    for path in sorted(parts, key=len):
        secret = path in declared or sounds_secret(path[-1])
        if secret and not any(path[: len(outer.path)] == outer.path for outer in found):
            found.append(Place(path, _takes_text(parts[path])))
    return [place for place in found if ANY not in place.path]


def mask_default(name: str, value: Any, schema: Any) -> Any:
    """The default of the parameter `name`, with secrets hidden."""
    return mask({name: value}, declared=declared_in(name, schema))[name]


def mask_schema(name: str, schema: Any) -> Any:
    """The schema of the parameter `name`, without its values for secrets."""
    return _mask_schema(schema, _secret_parts(schema, sounds_secret(name)), schema, 0)


def _walk(
    at: Path, schema: Any, root: Any, refs: tuple[str, ...] = (), depth: int = 0
) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every subschema with the path of its values; AGAIN if it refers to one that contains it."""
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return
    yield at, schema
    for path, part in _parts(at, schema):
        yield from _walk(path, part, root, refs, depth + 1)
    if (reference := _reference(schema)) is not None:
        if reference in refs:
            yield at, AGAIN
        else:
            yield from _walk(at, _resolve(root, reference), root, (*refs, reference), depth + 1)


def _parts(at: Path, schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    properties = schema.get("properties")
    for key, part in properties.items() if isinstance(properties, Mapping) else ():
        yield (*at, key), part
    patterns = schema.get("patternProperties")
    for part in [*(patterns.values() if isinstance(patterns, Mapping) else ()), schema.get("additionalProperties")]:
        yield (*at, ANY), part
    items = schema.get("items")
    for part in items if isinstance(items, list) else [items, schema.get("contains")]:
        yield (*at, ANY), part
    for word in ALTERNATIVES:
        for part in schema[word] if isinstance(schema.get(word), list) else ():
            yield ((*at, ANY) if word == "prefixItems" else at), part
    for word in PARTS:
        yield at, schema.get(word)


def _reference(schema: Mapping[str, Any]) -> str | None:
    """The `$ref` of a subschema to another one in the same schema, or None."""
    found = schema.get("$ref")
    return found if isinstance(found, str) and found.startswith("#") else None


def _resolve(root: Any, reference: str) -> Any:
    for step in reference.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        root = root.get(step) if isinstance(root, Mapping) else None
    return root


def _is_declared(schema: Mapping[str, Any]) -> bool:
    return fold(str(schema.get("format", ""))) == "password" or schema.get("writeOnly") is True


def _named(name: str, value: Any, at: Path = ()) -> Iterator[Path]:
    """The secret paths of a default, by name. For values in arrays, the path says only that they are in an array."""
    path = (*at, name)
    yield path
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _named(key, item, path)


def _takes_text(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", "string")
    return "string" in (kinds if isinstance(kinds, list) else [kinds])


def _secret_parts(root: Any, named: bool) -> set[int]:
    """The ids of the subschemas for secret values: named as a secret, declared secret, or referred to by such a one.

    named: whether the parameter's own name makes all of it secret.
    """
    declared = _declared_parts(root)
    found: set[int] = set()
    pending = [(root, named)]
    while pending:
        part, secret = pending.pop()
        pending += [(_resolve(root, reference), True) for reference in _mark(part, secret, declared, found, 0)]
    return found


def _mark(schema: Any, secret: bool, declared: set[int], found: set[int], depth: int) -> Iterator[str]:
    """Add the secret subschemas of `schema` to `found`. Yields the references of those that are new."""
    if isinstance(schema, list):
        for part in schema:
            yield from _mark(part, secret, declared, found, depth)
    if not isinstance(schema, Mapping) or depth > DEEPEST or id(schema) in found:
        return
    secret = secret or id(schema) in declared
    if secret:
        found.add(id(schema))
        if (reference := _reference(schema)) is not None:
            yield reference
    for word, part in schema.items():
        if word in NAMED and isinstance(part, Mapping):
            for key, one in part.items():
                yield from _mark(one, secret or sounds_secret(key), declared, found, depth + 1)
        elif word not in VALUE_KEYWORDS:
            yield from _mark(part, secret, declared, found, depth + 1)


def _declared_parts(root: Any) -> set[int]:
    """The ids of the subschemas that are declared secret, or contain or refer to a declared one for the same value.

    Each subschema is visited once, so schemas with many cross-references take no longer than others.
    """
    same_value: dict[int, list[int]] = {}  # subschema: those for the same value that refer to it or contain it
    found: set[int] = set()
    seen: set[int] = set()
    pending = [root]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending += part
        if not isinstance(part, Mapping) or id(part) in seen:
            continue
        seen.add(id(part))
        if _is_declared(part):
            found.add(id(part))
        same = [inner for path, inner in _parts((), part) if path == ()]
        if (reference := _reference(part)) is not None:
            same.append(_resolve(root, reference))
        for inner in same:
            same_value.setdefault(id(inner), []).append(id(part))
        pending += same
        for word, inner in part.items():
            if word in NAMED and isinstance(inner, Mapping):
                pending += inner.values()
            elif word not in VALUE_KEYWORDS:
                pending.append(inner)
    spreading = list(found)
    while spreading:
        further = set(same_value.get(spreading.pop(), ())) - found
        found |= further
        spreading += further
    return found


def _mask_schema(schema: Any, secret: set[int], root: Any, depth: int) -> Any:
    """secret: the result of `_secret_parts`."""
    if isinstance(schema, list):
        return [_mask_schema(part, secret, root, depth) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    if depth > DEEPEST:
        return {}
    shown: dict[str, Any] = {}
    for word, part in schema.items():
        if word in VALUE_KEYWORDS:
            below = _declared((), schema, root)
            values = part if word in ("enum", "examples") and isinstance(part, list) else [part]
            if id(schema) not in secret and all(mask(value, declared=below) == value for value in values):
                shown[word] = part
        elif word in NAMED and isinstance(part, Mapping):
            shown[word] = {key: _mask_schema(one, secret, root, depth + 1) for key, one in part.items()}
        else:
            shown[word] = _mask_schema(part, secret, root, depth + 1)
    return shown
