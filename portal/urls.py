"""All addresses of the portal. Each page's module in portal/web lists its own."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("portal.web.home.views")),
    path("", include("portal.web.account.views")),
    path("", include("portal.web.requests.views")),
    path("", include("portal.web.access.views")),
    path("", include("portal.web.profile.views")),
    path("", include("portal.web.queue.views")),
    path("", include("portal.web.dags.dag_list")),
    path("", include("portal.web.dags.views")),
    path("", include("portal.web.runs.views")),
    path("", include("portal.web.permits.views")),
    path("", include("portal.web.variables.views")),
    path("", include("portal.web.audit.views")),
    path("", include("portal.web.deployments.views")),
    path("", include("portal.web.deployments.dag_entries")),
    path("", include("portal.web.style.views")),
    path("", include("portal.web.health.views")),
    path("api/v1/", include("portal.api.urls")),
]
handler400 = "portal.web.errors.unreadable"
handler404 = "portal.web.errors.not_found"
handler500 = "portal.web.errors.server_error"
