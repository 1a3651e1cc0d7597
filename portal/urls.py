"""Every address of the portal. Each page's own module in portal/web lists its addresses."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("portal.web.home")),
    path("", include("portal.web.account")),
    path("", include("portal.web.requests")),
    path("", include("portal.web.access")),
    path("", include("portal.web.profile")),
    path("", include("portal.web.queue")),
    path("", include("portal.web.dags")),
    path("", include("portal.web.runs")),
    path("", include("portal.web.audit")),
    path("", include("portal.web.deployments")),
    path("", include("portal.web.style")),
    path("", include("portal.web.health")),
    path("api/v1/", include("portal.api.urls")),
]
handler400 = "portal.web.errors.unreadable"
handler404 = "portal.web.errors.not_found"
handler500 = "portal.web.errors.server_error"
