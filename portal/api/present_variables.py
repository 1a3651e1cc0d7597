"""Variables as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accounts.models import User
from portal.api import present
from portal.api.shapes_variables import VariableDetail, VariableOut
from portal.core.errors import why_not
from portal.dags.models import VariableState
from portal.dags.variables import observing, offered
from portal.dags.variables.offered import Offered

CHANGES = 20


def variables(rows: Sequence[Offered], *, reader: User) -> list[VariableOut]:
    states = observing.states_of(rows)
    return [VariableOut(**_variable(row, states.get((row.deployment.pk, row.key)), reader)) for row in rows]


def variable_detail(row: Offered, *, reader: User) -> VariableDetail:
    changes = [present.operation(operation) for operation in observing.changes_of(row, most=CHANGES)]
    return VariableDetail(**_variable(row, observing.state_of(row), reader), changes=changes)


def _variable(row: Offered, state: VariableState | None, reader: User) -> dict[str, Any]:
    at_once = offered.may_change_at_once(reader, row)
    return {
        "deployment": row.deployment.name,
        "key": row.key,
        "description": row.description or None,
        "value": state.value if state else None,
        "allowed": row.schema,
        "may_change": at_once,
        "may_ask": not at_once and not why_not(offered.check_can_ask, reader, row),
        "policy": row.policy or None,
        "problem": (state.problem or None) if state else None,
        "set_by": state.operation.ref if state and state.operation else None,
        "as_of": state.seen_at if state else None,
    }
