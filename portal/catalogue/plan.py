"""The difference between a file and the catalogue in force, as lines for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from portal.catalogue import airflows, covering, queries, staffing
from portal.catalogue.document import AccountSpec, Document, SecretSpec, StageSpec
from portal.catalogue.freezes import FreezeSpec
from portal.catalogue.loader import Loaded
from portal.catalogue.models import CatalogueVersion
from portal.catalogue.spec import Spec
from portal.core import durations
from portal.core.secrecy import mask

Action = Literal["add", "change", "remove"]
Words = dict[str, str]
SIGNS: dict[Action, str] = {"add": "+", "change": "~", "remove": "-"}


@dataclass(frozen=True)
class Change:
    """One object that is added, changed or removed. `before` and `after`: the values that differ, in words."""

    action: Action
    kind: str
    name: str
    before: Words
    after: Words

    @property
    def line(self) -> str:
        head = f"{SIGNS[self.action]} {self.kind} {self.name}"
        if self.action == "add":
            said = [f"{field} {value}" for field, value in self.after.items()]
        elif self.action == "change":
            said = [
                f"{field} {self.before.get(field) or 'nothing'} → {value or 'nothing'}"
                for field, value in self.after.items()
            ]
        else:
            said = []
        return f"{head}: {'; '.join(said)}" if said else head


@dataclass(frozen=True)
class Plan:
    """What applying the file would do. `same`: exactly this text is in force. covered: `covering.counts`."""

    file: str
    sha256: str
    in_force: int | None
    same: bool
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]
    covered: Mapping[str, int | None]

    @property
    def lines(self) -> list[str]:
        return [change.line for change in self.changes]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "lines": self.lines}


class Field(NamedTuple):
    """A field in words and as JSON, because two different values may have the same words."""

    words: str
    exact: str


Fields = dict[str, Field]


def plan(loaded: Loaded, in_force: CatalogueVersion | None) -> Plan:
    """Compare a valid file with a version (None: no version is in force yet)."""
    before = _things(queries.document(in_force)) if in_force else {}
    after = _things(loaded.document)
    changes = [_change(key, before.get(key), after.get(key)) for key in sorted({*before, *after})]
    return Plan(
        file=loaded.name,
        sha256=loaded.sha256,
        in_force=in_force.number if in_force else None,
        same=in_force is not None and in_force.sha256 == loaded.sha256,
        changes=tuple(change for change in changes if change is not None),
        covered=covering.counts(loaded.document),
        warnings=(*staffing.warnings(loaded.document), *airflows.warnings(_addresses(loaded.document))),
    )


def _addresses(document: Document) -> dict[str, str]:
    return {name: spec.url for name, spec in document.deployments.items()}


def _change(key: tuple[int, str, str], before: Fields | None, after: Fields | None) -> Change | None:
    _, kind, name = key
    if before == after:
        return None
    if before is None:
        return Change("add", kind, name, {}, _set(after or {}))
    if after is None:
        return Change("remove", kind, name, _set(before), {})
    fields = [field for field in after if before[field] != after[field]]
    return Change("change", kind, name, {f: before[f].words for f in fields}, {f: after[f].words for f in fields})


def _set(fields: Fields) -> Words:
    return {name: field.words for name, field in fields.items() if field.words}


def _things(document: Document) -> dict[tuple[int, str, str], Fields]:
    """All objects of the document with their fields, by (order, kind, name)."""
    things: dict[tuple[int, str, str], Fields] = {}
    kinds: list[tuple[str, Mapping[str, Spec]]] = [
        ("deployment", document.deployments),
        ("group", document.groups),
        ("policy", document.policies),
        ("entitlement", {spec.key: spec for spec in document.entitlements}),
        ("dag", {spec.key: spec for spec in document.dags}),
    ]
    for order, (kind, specs) in enumerate(kinds):
        for name, spec in specs.items():
            things[order, kind, name] = {
                field: value
                for field, value in _fields(spec)
                if not (kind in ("entitlement", "dag") and field in ("deployment", "role", "dag", "dag_tag", "level"))
            }
    return things


def _fields(spec: Spec) -> Iterator[tuple[str, Field]]:
    """The fields of an account are separate, so that a change of the address that gets its secret is visible."""
    exact = spec.model_dump(mode="json")
    for name in type(spec).model_fields:
        value = getattr(spec, name)
        if isinstance(value, AccountSpec):
            yield from ((f"{name}.{inner}", field) for inner, field in _fields(value))
        else:
            yield name, Field(_said(name, value), json.dumps(exact[name], sort_keys=True))


def _said(field: str, value: Any) -> str:
    if field == "stages":
        return _stages(value)
    if field == "freeze":
        return "; ".join(_freeze(window) for window in value)
    if field in ("locked", "bounds"):
        value = mask(value)  # the text is printed and recorded in the trail
    if isinstance(value, SecretSpec):
        return " ".join(part for place in value.as_json().items() for part in place)
    if isinstance(value, timedelta):
        return durations.words(value)
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, ensure_ascii=False) if value else ""
    return "" if value is None else str(value)


def _stages(stages: list[StageSpec]) -> str:
    steps = [f"{stage.quorum} of {', '.join(stage.approvers)}" for stage in stages]
    return ", then ".join(steps) or "granted at once"


def _freeze(window: FreezeSpec) -> str:
    except_for = f", except {', '.join(window.exempt)}" if window.exempt else ""
    return f"{window.begins} until {window.until}{except_for} ({window.why})"
