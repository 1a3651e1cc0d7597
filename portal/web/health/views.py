"""Health endpoints for monitoring: whether the process is alive, and whether the portal does its work."""

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.guard import public
from portal.worker import readiness


@require_safe
@public
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
@public
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """200 if the database answers, a worker is alive and nothing is far overdue; else 503. The body has the reasons."""
    try:
        found = readiness.look()
    except (DatabaseError, InterfaceError):
        return JsonResponse({"status": "unavailable", "database": "does not answer"}, status=503)
    answer = {"status": "unavailable" if found.problems else "ok", "database": "ok"}
    words = {"problems": found.problems, "notes": found.notes}
    return JsonResponse(answer | words, status=503 if found.problems else 200)


urlpatterns = [
    path("health/live", live, name="health_live"),
    path("health/ready", ready, name="health_ready"),
]
