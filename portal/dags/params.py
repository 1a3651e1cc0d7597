"""A DAG's parameters as they are kept and shown: what is secret in their defaults and schemas is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from portal.airflow.clients import Unavailable
from portal.catalogue.models import Dag
from portal.core import clock
from portal.core.secret_schema import Place, mask_default, mask_schema, places
from portal.dags import live, secrets
from portal.dags.models import DagState

if TYPE_CHECKING:  # the shape alone; live asks Airflow
    from portal.airflow.bridge import AirflowParam

OLD = timedelta(minutes=1)  # what is kept is older only where the worker does not get to it


class Kept(TypedDict):
    """value: the default. hidden: a part of it, or all, is secret and not here. required: a run must give it."""

    value: Any
    schema: dict[str, Any]
    hidden: bool
    required: bool


@dataclass(frozen=True)
class Known:
    """What is known of a DAG's parameters, and of when. `problem` says, in words, why nothing is."""

    params: Mapping[str, Kept] = field(default_factory=dict)
    as_of: datetime | None = None
    places: list[Place] = field(default_factory=list)  # where it takes secrets
    problem: str = ""


def kept(params: Mapping[str, AirflowParam]) -> dict[str, Kept]:
    return {name: _kept(name, param) for name, param in params.items()}


def _kept(name: str, param: AirflowParam) -> Kept:
    value = mask_default(name, param.value, param.schema)
    schema = mask_schema(name, param.schema)
    return {"value": value, "schema": dict(schema), "hidden": value != param.value, "required": param.required}


def known(dag: Dag, state: DagState | None, *, ask: bool) -> Known:
    """From what the worker keeps. ask: where that is nothing, or old, ask Airflow itself, which answers in a moment."""
    why = ""
    stored = state.params if state is not None else None
    is_old = state is None or stored is None or state.seen_at < clock.now() - OLD
    if ask and is_old:
        try:
            found = live.details(dag)
        except Unavailable as error:
            why = str(error)
        else:
            if found is not None:
                takes = [place for name, one in found.params.items() for place in places(name, one.value, one.schema)]
                return Known(params=kept(found.params), as_of=clock.now(), places=takes)
            why = f"Airflow on {dag.deployment.name} has no DAG called {dag.dag_id}."
    if state is not None and stored is not None:
        return Known(params=stored, as_of=state.seen_at, places=secrets.places_of(dag))
    told = (state.problem if state else "") or "Gatehouse has not read this DAG from Airflow yet."
    return Known(problem=why or told)
