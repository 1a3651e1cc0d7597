"""Operations: changes in Airflow, each with the state before and after."""

from __future__ import annotations

from ninja import Router

from accounts.credentials import sees_everybody
from accounts.models import User
from portal.api import present
from portal.api.auth import ApiRequest, Bearer
from portal.api.shapes import OperationOut
from portal.core import refs
from portal.core.errors import Missing
from portal.operations import kinds
from portal.operations.models import Operation

router = Router(tags=["operations"])


@router.get("/operations/{id}", auth=Bearer("read"), response=OperationOut, summary="One operation")
def read_operation(request: ApiRequest, id: str) -> OperationOut:
    pk = refs.parse(refs.OPERATION, id)
    row = Operation.objects.select_related("deployment").filter(pk=pk).first()
    if row is None or not _may_see(request.auth.user, row):
        raise refs.not_found(refs.OPERATION, pk)
    return present.operation(row)


def _may_see(user: User, operation: Operation) -> bool:
    """Whether `user` may see the operation: its kind decides, by the grant, run or DAG that the operation is for."""
    if sees_everybody(user):
        return True
    kind = kinds.find(operation.kind)
    if kind is None or kind.check_can_see is None:
        return False
    try:
        kind.check_can_see(user, operation)
    except Missing:
        return False
    return True
