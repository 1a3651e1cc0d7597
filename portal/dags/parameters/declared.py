"""The parameters of a DAG as a run must have them: the DAG's own schema, and the rules of the catalogue added to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portal.catalogue.models import Dag
from portal.core.secrecy import sounds_secret

if TYPE_CHECKING:  # only for annotations
    from portal.dags.parameters.params import Kept

STRICTER = {  # the stricter of two values of one keyword
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}
LIMITED = {  # the type that a keyword limits; JSON Schema accepts values of all other types
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
    **dict.fromkeys(("minLength", "maxLength", "pattern", "format"), "string"),
    **dict.fromkeys(("minItems", "maxItems", "uniqueItems", "prefixItems", "items", "contains"), "array"),
    **dict.fromkeys(("minProperties", "maxProperties", "required", "properties"), "object"),
    **dict.fromkeys(("additionalProperties", "propertyNames"), "object"),
}
TOGETHER = (  # keywords whose meaning depends on each other
    {"items", "prefixItems"},
    {"contains", "minContains", "maxContains"},
    {"properties", "patternProperties", "additionalProperties"},
)
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
        may_be_null = param["value"] is None and not (param["required"] or param["hidden"])
        schema = bounded(param["schema"], dag.bounds.get(name, {}), may_be_null=may_be_null)
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


def bounded(schema: Mapping[str, Any], bounds: Mapping[str, Any], *, may_be_null: bool = False) -> dict[str, Any]:
    """A schema with further keywords. Of two values of one keyword, the stricter one counts.

    A bound is not avoided by a value of another type: `maximum` allows only numbers, unless the bound has a `type` of
    its own, and null where the schema names it. may_be_null: also null if the schema names no type.
    """
    bounds = {word: _strict_parts(word, value) for word, value in bounds.items()}
    merged = dict(schema)
    apart = _apart(schema, bounds)
    extra = [apart] if apart else []
    if limited := _limited(bounds):
        own = schema.get("type")
        named = own if isinstance(own, list) else [own] if own else []
        allowed = [kind for kind in named if kind in (*limited, "null") or (kind == "integer" and "number" in limited)]
        if allowed and own != allowed:
            merged["type"] = allowed if isinstance(own, list) else own
        elif not named:
            merged["type"] = [*limited, "null"] if may_be_null else limited if len(limited) > 1 else limited[0]
        elif not allowed:
            extra.append({"type": limited})
    for word, value in bounds.items():
        if word in apart:
            continue
        if word not in merged or word in LABELS:
            merged[word] = value
        elif word in STRICTER and _are_numbers(merged[word], value):
            merged[word] = STRICTER[word](merged[word], value)
        elif word == "enum" and isinstance(merged[word], list):
            merged[word] = [one for one in merged[word] if any(same(one, other) for other in value)]
        elif not same(merged[word], value):
            extra.append({word: value})
    if extra:
        own_parts = merged.get("allOf", [])
        merged["allOf"] = [*(own_parts if isinstance(own_parts, list) else [{"allOf": own_parts}]), *extra]
    return merged


def _limited(bounds: Mapping[str, Any]) -> list[str]:
    """The types that the keywords limit; empty if the bounds name the possible types or values themselves."""
    if bounds.keys() & {"type", "enum", "const"}:
        return []
    return sorted({LIMITED[word] for word in bounds if word in LIMITED})


def _strict_parts(word: str, value: Any) -> Any:
    """The value of a keyword; bounds in it, as of the entries of a list, allow only the types that they limit."""
    if word in ("items", "contains", "additionalProperties"):
        return _strict(value)
    if word in ("prefixItems", "allOf", "anyOf"):
        return [_strict(part) for part in value]
    return {name: _strict(part) for name, part in value.items()} if word == "properties" else value


def _strict(bounds: Any) -> Any:
    if not isinstance(bounds, Mapping):  # true or false
        return bounds
    parts = {word: _strict_parts(word, value) for word, value in bounds.items()}
    return {**parts, "type": limited} if (limited := _limited(bounds)) else parts


def _apart(schema: Mapping[str, Any], bounds: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of the bounds that must stay together, because keywords of the schema would change their meaning.

    `additionalProperties` alone means: besides the properties of the schema.
    """
    found: dict[str, Any] = {}
    for group in TOGETHER:
        ours = {word: bounds[word] for word in bounds if word in group}
        is_alone = ours.keys() == {"additionalProperties"}
        if ours and not is_alone and group & schema.keys():
            found |= ours
    return found


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
