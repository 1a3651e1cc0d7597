"""The addresses of the API, each wrapped by `api_view`. Unknown addresses are answered with a problem, not a page."""

from django.urls import URLPattern, include, path, re_path

from portal.api.api import api
from portal.api.views import api_view, unknown

_calls, _app, _namespace = api.urls
for _call in _calls:
    assert isinstance(_call, URLPattern)
    _call.callback = api_view(_call.callback)

urlpatterns = [
    path("", include((_calls, _app), namespace=_namespace)),
    re_path(r"^(?P<rest>.*)$", api_view(unknown)),
]
