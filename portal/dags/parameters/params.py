"""The parameters of a DAG as they are stored and shown. Secrets in their defaults and schemas are hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from portal.airflow.states import why_unreadable
from portal.catalogue.models import Dag
from portal.core.secret_schema import Place, mask_default, mask_schema
from portal.dags.models import DagState
from portal.dags.parameters import secrets

if TYPE_CHECKING:  # only for annotations
    from portal.airflow.bridge import AirflowParam


class Kept(TypedDict):
    """value: the default. hidden: a part of it, or all of it, is secret and left out. required: it has no default.

    place: in the order in which the DAG declares them, because PostgreSQL does not keep the order of a JSON object.
    """

    value: Any
    schema: dict[str, Any]
    hidden: bool
    required: bool
    place: int


def title(name: str, param: Kept | Mapping[str, Any] | None) -> str:
    """The title that the DAG gives a parameter; its name if it has none, or if the DAG does not declare it."""
    found = param["schema"].get("title") if param is not None else None
    return found if isinstance(found, str) and found else name


@dataclass(frozen=True)
class Known:
    """The stored parameters of a DAG, and when they were read (`as_of`).

    problem: in words, why there are none. is_awaited: the worker tries to read them every few seconds.
    """

    params: Mapping[str, Kept] = field(default_factory=dict)
    as_of: datetime | None = None
    places: list[Place] = field(default_factory=list)  # where secrets are entered
    problem: str = ""
    is_awaited: bool = False


def kept(params: Mapping[str, AirflowParam]) -> dict[str, Kept]:
    return {name: _kept(name, param, place) for place, (name, param) in enumerate(params.items())}


def exact(params: Mapping[str, AirflowParam]) -> dict[str, Kept]:
    """The same with their secrets, for a check in memory. Never stored or shown."""
    return {
        name: Kept(value=param.value, schema=dict(param.schema), hidden=False, required=param.required, place=place)
        for place, (name, param) in enumerate(params.items())
    }


def _kept(name: str, param: AirflowParam, place: int) -> Kept:
    value = mask_default(name, param.value, param.schema)
    schema = dict(mask_schema(name, param.schema))
    return Kept(value=value, schema=schema, hidden=value != param.value, required=param.required, place=place)


def known(dag: Dag, state: DagState | None) -> Known:
    """The parameters as the worker stored them."""
    takes = secrets.places_of(dag)
    if state is not None and state.params is not None:
        return Known(params=state.params_in_order, as_of=state.seen_at, places=takes)
    unreadable = why_unreadable(dag.deployment)
    why = (state.problem if state is not None else "") or unreadable
    not_yet = "Gatehouse has not read this DAG from Airflow yet."
    return Known(places=takes, problem=why or not_yet, is_awaited=not unreadable)
