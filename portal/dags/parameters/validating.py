"""The one check of a run's parameters: for the page, the API, approvals, permits, repeated runs, and at the start.

A value is checked against the schema that the DAG declares for its parameter, with the bounds of the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jsonschema.exceptions import best_match

from accounts.models import User
from portal.catalogue.models import Dag
from portal.core import json_schema
from portal.core.errors import Invalid
from portal.core.secrecy import HIDDEN, holds_secret, marks, mask
from portal.core.secret_schema import declared_in, mask_schema
from portal.dags.models import DagState
from portal.dags.parameters import conf as parameters
from portal.dags.parameters import declared as declarations
from portal.dags.parameters import params
from portal.dags.parameters.declared import Declared
from portal.dags.parameters.schema_words import in_words, refusal, shown

if TYPE_CHECKING:  # only for annotations
    from portal.airflow.bridge import AirflowParam

NAMED = 12  # parameters that are named in a sentence
LONGEST_NAME = 80


def field(name: str) -> str:
    """The name of a parameter in `Invalid.fields`: `conf.region`."""
    return f"conf.{name[:LONGEST_NAME]}"


def checked(dag: Dag, state: DagState | None, conf: Any, *, requester: User) -> dict[str, Any]:
    """The parameters of a run of `requester`: `conf`, and the values that Gatehouse sets.

    Raises Invalid (`conf`, `conf.NAME`).

    state: with the parameters as the worker read them. While they were never read, only the form of `conf` is checked;
    the worker checks all of it before the start.
    """
    given = parameters.checked(conf)
    if any(holds_secret(name) for name in given):
        raise Invalid({"conf": "The name of a parameter contains a credential. Remove it."})
    name = requester.get_username()
    values = _with_fixed(dag, given, requester=name)
    if state is None or state.params is None:
        return values
    found = declarations.of(dag, state.params_in_order, requester=name)
    if wrong := _problems(dag, found, values):
        raise Invalid(wrong)
    return values


def why_invalid(dag: Dag, known: Mapping[str, AirflowParam], conf: Mapping[str, Any], *, requester: str) -> str:
    """In words, why a run with `conf` must not be started, by the parameters in Airflow now; empty if it may.

    conf: as it is sent, with its secrets. Secrets are not repeated.
    """
    fixed = declarations.fixed_values(dag, requester=requester)
    for name, value in fixed.items():
        if name not in conf or conf[name] != value:
            return f"“{name[:LONGEST_NAME]}” is now fixed to another value by the catalogue."
    found = declarations.of(dag, params.exact(known), requester=requester)
    return " ".join(_problems(dag, found, conf).values())


def _problems(dag: Dag, found: Mapping[str, Declared], conf: Mapping[str, Any]) -> dict[str, str]:
    """`problems`, and those of parameters that only the catalogue knows: they have bounds, too."""
    wrong = problems(found, conf, undeclared=dag.undeclared)
    for name in conf.keys() & dag.bounds.keys() - found.keys() if dag.undeclared else ():
        if said := _problem(Declared(name, declarations.bounded({}, dag.bounds[name])), conf):
            wrong[field(name)] = said
    return wrong


def problems(declared: Mapping[str, Declared], conf: Mapping[str, Any], *, undeclared: bool) -> dict[str, str]:
    """The errors of a run's parameters, by field; empty if it can be started.

    A parameter that `conf` leaves out has its default, which is checked too: the catalogue may forbid it.
    undeclared: whether parameters that the DAG does not declare are allowed.
    """
    wrong = {}
    for name, one in declared.items():
        if said := _problem(one, conf):
            wrong[field(name)] = said
    for name in conf:
        if name not in declared and not undeclared:
            wrong[field(name)] = _unknown(name, declared)
    return wrong


def _problem(one: Declared, conf: Mapping[str, Any]) -> str:
    given = one.name in conf
    if not given and (one.hidden or not one.has_default):
        return "" if one.hidden else f"{one.label} needs a value: {in_words(mask_schema(one.name, one.schema))}."
    value = conf[one.name] if given else one.default
    if any(True for _ in marks({one.name: value})):
        return ""  # `secrets.hide` refuses the mark of a hidden value, with its own words
    try:
        found = json_schema.errors(one.schema, value)
    except json_schema.BadSchema as bad:
        return f"{one.label} cannot be checked, so it cannot be run from here: in its schema, {bad}."
    if not found:
        return ""
    is_secret = _holds_secret(one, value)
    said = refusal(best_match(iter(found)), secret=is_secret)
    if given:
        return f"{one.label}: {said}"
    default = HIDDEN if is_secret else shown(one.default)
    return f"{one.label} needs another value than the DAG's default, {default}. {said}"


def _holds_secret(one: Declared, value: Any) -> bool:
    """Whether a part of the value, or of the values that the schema allows, is secret."""
    declared = declared_in(one.name, one.schema)
    return (
        one.is_secret
        or mask({one.name: value}, declared=declared) != {one.name: value}
        or mask_schema(one.name, one.schema) != one.schema
    )


def _unknown(name: str, declared: Mapping[str, Declared]) -> str:
    names = list(declared)
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    known = f"It has {', '.join(names[:NAMED])}{rest}." if names else "It has none."
    return f"The DAG has no parameter “{name[:LONGEST_NAME]}”. {known}"


def _with_fixed(dag: Dag, conf: Mapping[str, Any], *, requester: str) -> dict[str, Any]:
    """`conf` with the values that Gatehouse sets. Raises Invalid if it has another value for one of them."""
    values = parameters.with_locked(conf, dag)
    name = dag.requester_param
    if not name:
        return values
    if name in conf and conf[name] != requester:
        raise Invalid({field(name): f"“{name}” is set to your user name, {requester}; leave it out."})
    return {**values, name: requester}
