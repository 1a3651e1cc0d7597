"""Operations: what is being done in Airflow, and what was seen there before and after."""

from __future__ import annotations

from ninja import Router

from accounts.credentials import sees_everybody
from accounts.models import User
from portal.access import queries as access
from portal.api import present
from portal.api.auth import ApiRequest, Bearer
from portal.api.shapes import OperationOut
from portal.core import refs
from portal.core.errors import Missing
from portal.dags import queries as dags
from portal.operations.models import Operation

router = Router(tags=["operations"])
Kind = Operation.Kind


@router.get("/operations/{id}", auth=Bearer("read"), response=OperationOut, summary="One operation")
def read_operation(request: ApiRequest, id: str) -> OperationOut:
    pk = refs.parse(refs.OPERATION, id)
    row = Operation.objects.select_related("deployment").filter(pk=pk).first()
    if row is None or not _may_see(request.auth.user, row):
        raise Missing(f"There is no operation {refs.ref(refs.OPERATION, pk)}, or it is not yours to see.")
    return present.operation(row)


def _may_see(user: User, operation: Operation) -> bool:
    """Whoever may see what it is for: a grant, a run, a DAG. Anything else is for those who may see all.

    The kind decides, not how the subject is written: a variable may be called like a DAG.
    """
    if sees_everybody(user):
        return True
    try:
        match operation.kind:
            case Kind.GRANT_ROLE | Kind.REVOKE_ROLE:
                access.grant_for(user, refs.parse(refs.GRANT, operation.subject))
            case Kind.TRIGGER_RUN:
                dags.run_for(user, refs.parse(refs.RUN, operation.subject))
            case Kind.PAUSE_DAG | Kind.UNPAUSE_DAG:
                deployment, _, dag_id = operation.subject.partition("/")
                dags.dag_for(user, deployment, dag_id)
            case _:
                return False
    except Missing:
        return False
    return True
