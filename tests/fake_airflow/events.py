"""Which lines of Airflow's own log a request asks for; the filters are the same in both versions."""

from __future__ import annotations

from datetime import datetime

from tests.fake_airflow.routing import Call
from tests.fake_airflow.rows import FakeEvent


def wanted(call: Call) -> list[tuple[int, FakeEvent]]:
    """With their numbers. What was about a DAG that is gone is not shown to anybody."""
    rows = enumerate(call.state.events, start=1)
    return [(number, row) for number, row in rows if _visible(call, row) and _matches(call, row)]


def _visible(call: Call, row: FakeEvent) -> bool:
    return row.dag_id is None or (
        call.state.parsed_dag(row.dag_id) is not None and call.state.may_on_dag(call.by, "can_read", row.dag_id)
    )


def _matches(call: Call, row: FakeEvent) -> bool:
    query = call.query
    for name in ("event", "owner", "dag_id", "run_id"):
        if name in query and getattr(row, name) != query[name]:
            return False
    included, excluded = (_names(call, f"{which}_events") for which in ("included", "excluded"))
    if (included and row.event not in included) or row.event in excluded:
        return False
    after, before = (query.get(name) for name in ("after", "before"))
    return (not after or row.when > moment(after)) and (not before or row.when < moment(before))


def _names(call: Call, parameter: str) -> list[str]:
    """Airflow 2 takes one text with commas, Airflow 3 the parameter several times."""
    values = call.values(parameter)
    return values[0].split(",") if values and call.state.release.api == "v1" else values


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace(" ", "+"))
