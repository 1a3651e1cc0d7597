"""The API: its endpoints, and its error handlers. Every error becomes a problem (RFC 9457)."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from portal.api import described, idempotency, problems
from portal.api.auth import Caller
from portal.api.endpoints import audit, catalogue, dags, grants, me, operations, permits, requests, runs, variables
from portal.api.parsing import StrictParser
from portal.audit.refused_calls import note_refused
from portal.core.errors import GatehouseError, Missing

DESCRIPTION = """Request access to Airflow, decide requests, see access and run DAGs, with the same rules as the pages.

Tokens (`Authorization: Bearer gh_...`) come from the profile page or `manage.py token create`. Lists come in pages:
pass `next` as `cursor`. Times are RFC 3339 in UTC, durations ISO 8601. A POST with an `Idempotency-Key` may be
sent again for 24 hours: it is executed once. Every error is a problem (RFC 9457) with a stable word as `reason`."""


class GatehouseAPI(NinjaAPI):
    def __init__(self, **options: Any) -> None:
        self.scopes: dict[str, list[str]] = {}
        super().__init__(**options)

    def get_openapi_schema(self, *args: Any, **kwargs: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(*args, **kwargs)
        return described.complete(document, self.scopes)

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The id of a call. Ninja asks for it while it makes the document; the scopes are collected here too."""
        name: str = operation.view_func.__name__
        self.scopes[name] = [scope for auth in operation.auth_callbacks for scope in auth.scopes]  # type: ignore[attr-defined]
        return name


api = GatehouseAPI(
    title="Gatehouse",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    docs_url=None,  # its page would load scripts that the content policy refuses
    parser=StrictParser(),
)
# on the API and not on a router, so that it applies to all routers
api.add_decorator(idempotency.once, mode="operation")
for module in (me, catalogue, requests, grants, permits, dags, runs, variables, operations, audit):
    api.add_router("", module.router)


@api.exception_handler(GatehouseError)
def _refused(request: HttpRequest, error: GatehouseError) -> HttpResponse:
    caller: Caller | None = getattr(request, "auth", None)
    if caller is not None:
        note_refused(by=caller.user, method=request.method or "", path=request.path, error=error)
    return problems.answer(error)


@api.exception_handler(ValidationError)
def _wrong_input(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return problems.wrong_input(error)


@api.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    return problems.http_error(error)


@api.exception_handler(Http404)
def _missing(request: HttpRequest, error: Http404) -> HttpResponse:
    return problems.answer(Missing("There is no such object."))


@api.exception_handler(Exception)
def _unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
    return problems.unexpected(request, error)
