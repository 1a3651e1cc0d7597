"""For whatever watches the portal: is the process alive, and does the portal do its work?"""

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
    """The database answers, a worker lives, and what time should have brought is done; else 503, and why in words."""
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
