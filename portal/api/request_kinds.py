"""The fields of a request that only its kind has. Fields of other kinds are null."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portal.access.models import AccessRequest
from portal.approvals.models import Request
from portal.dags.models import PermitRequest, RunRequest, VariableRequest

NOTHING: dict[str, Any] = {
    **dict.fromkeys(("entitlement", "starts_at", "grant")),
    **dict.fromkeys(("dag", "conf", "conf_sha256", "note", "start_at", "start", "start_problem", "run")),
    **dict.fromkeys(("bounds", "runs", "permit")),
    **dict.fromkeys(("variable", "value", "operation")),
    "break_glass": False,
}


def own(request: Request) -> dict[str, Any]:
    return NOTHING | OWN[request.kind](request)


def _access(request: AccessRequest) -> dict[str, Any]:
    grant = getattr(request, "grant", None)
    return {
        "entitlement": request.entitlement.key,
        "starts_at": request.starts_at,
        "break_glass": request.break_glass,
        "grant": grant.ref if grant else None,
    }


def _run(request: RunRequest) -> dict[str, Any]:
    run = next(iter(request.runs.all()), None)
    return {
        "dag": str(request.dag),
        "conf": request.conf,
        "conf_sha256": request.conf_sha256,
        "note": request.note or None,
        "start_at": request.start_at,
        "start": request.start_status,
        "start_problem": request.start_problem or None,
        "run": run.ref if run else None,
    }


def _permit(request: PermitRequest) -> dict[str, Any]:
    permit = getattr(request, "permit", None)
    return {
        "dag": str(request.dag),
        "bounds": request.bounds,
        "runs": request.runs_wanted,
        "permit": permit.ref if permit else None,
    }


def _variable(request: VariableRequest) -> dict[str, Any]:
    return {
        "variable": f"{request.deployment.name}/{request.key}",
        "value": request.value,
        "operation": request.operation.ref if request.operation else None,
    }


OWN: dict[str, Callable[[Any], dict[str, Any]]] = {
    "access": _access,
    "run": _run,
    "permit": _permit,
    "variable": _variable,
}
