"""A status moves along its table, once, from what the database has and not from what somebody remembers."""

from __future__ import annotations

import pytest

from portal.access.models import AccessRequest
from portal.approvals.states import REQUEST
from portal.core.errors import Conflict
from tests.factories import request_at_status

S = AccessRequest.Status


def test_the_second_of_two_simultaneous_moves_gets_a_conflict(catalogue):
    request = request_at_status()
    first, second = (AccessRequest.objects.get(pk=request.pk) for _ in range(2))
    REQUEST.move(first, to=S.WITHDRAWN, closed_at=request.lapses_at)
    with pytest.raises(Conflict):
        REQUEST.move(second, to=S.DENIED, closed_at=request.lapses_at)
    assert second.status == S.PENDING
    request.refresh_from_db()
    assert request.status == S.WITHDRAWN


@pytest.mark.parametrize("status", S.values)
def test_only_what_the_table_allows(catalogue, status):
    request = request_at_status(status)
    for to in S.values:
        if to not in REQUEST.moves[status]:
            with pytest.raises(Conflict, match="cannot become"):
                REQUEST.move(request, to=to)
    request.refresh_from_db()
    assert request.status == status


def test_a_condition_that_is_not_met_moves_nothing(catalogue):
    request = request_at_status()
    with pytest.raises(Conflict):
        REQUEST.move(request, to=S.WITHDRAWN, where={"policy_version": 99}, closed_at=request.lapses_at)
    request.refresh_from_db()
    assert request.status == S.PENDING
