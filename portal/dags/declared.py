"""The parameters of a DAG as a run must have them: the DAG's own schema, and the rules of the catalogue added to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portal.catalogue.models import Dag
from portal.core.secrecy import sounds_secret

if TYPE_CHECKING:  # only for annotations
    from portal.dags.params import Kept

STRICTER = {  # the stricter of two values of one keyword
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}
LABELS = ("title", "description", "examples", "values_display", "section")  # say how to show it; no rules


@dataclass(frozen=True)
class Declared:
    """One parameter. default: only meaningful if `has_default`. hidden: a part of the default, or all of it, is secret
    and not known. fixed: the value that Gatehouse sets, if `is_fixed`."""

    name: str
    schema: Mapping[str, Any]
    default: Any = None
    has_default: bool = True
    hidden: bool = False
    is_secret: bool = False
    fixed: Any = None
    is_fixed: bool = False

    @property
    def title(self) -> str:
        title = self.schema.get("title")
        return title if isinstance(title, str) and title else self.name

    @property
    def label(self) -> str:
        """The title, and the name if it differs: `Region (region)`."""
        return self.name if self.title == self.name else f"{self.title} ({self.name})"


def of(dag: Dag, params: Mapping[str, Kept], *, requester: str) -> dict[str, Declared]:
    """The parameters of `dag` for a run of the person with the user name `requester`, in the order of the DAG.

    Fixed parameters that the DAG does not declare come last.
    """
    fixed = fixed_values(dag, requester=requester)
    found = {}
    for name, param in params.items():
        schema = bounded(param["schema"], dag.bounds.get(name, {}))
        found[name] = Declared(
            name,
            schema,
            default=param["value"],
            has_default=not param["required"],
            hidden=param["hidden"],
            is_secret=param["hidden"] or sounds_secret(name) or schema.get("format") == "password",
            fixed=fixed.get(name),
            is_fixed=name in fixed,
        )
    for name, value in fixed.items():
        if name not in found:
            found[name] = Declared(name, {}, is_secret=sounds_secret(name), fixed=value, is_fixed=True)
    return found


def fixed_values(dag: Dag, *, requester: str) -> dict[str, Any]:
    """The values that Gatehouse sets: the locked parameters, and the user name where the catalogue asks for it."""
    named = {dag.requester_param: requester} if dag.requester_param else {}
    return {**dag.locked, **named}


def bounded(schema: Mapping[str, Any], bounds: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with further keywords. Of two values of one keyword, the stricter one counts."""
    merged = dict(schema)
    for word, value in bounds.items():
        if word not in merged or word in LABELS:
            merged[word] = value
        elif word in STRICTER and _are_numbers(merged[word], value):
            merged[word] = STRICTER[word](merged[word], value)
        elif word == "enum" and isinstance(merged[word], list):
            merged[word] = [one for one in merged[word] if any(same(one, other) for other in value)]
        elif not same(merged[word], value):
            merged["allOf"] = [*merged.get("allOf", []), {word: value}]
    return merged


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: 1 and 1.0 are, 1 and true are not."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def defaults(declared: Mapping[str, Declared]) -> Iterator[tuple[str, Any]]:
    """The known defaults of the parameters that a run may set, by name."""
    for name, one in declared.items():
        if one.has_default and not one.hidden and not one.is_fixed:
            yield name, one.default
