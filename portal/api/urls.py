"""The API's addresses, every one of them behind the door; what is none of them is a problem too, not a page."""

from django.urls import URLPattern, include, path, re_path

from portal.api.api import api
from portal.api.door import door, unknown

_calls, _app, _namespace = api.urls
for _call in _calls:
    assert isinstance(_call, URLPattern)
    _call.callback = door(_call.callback)

urlpatterns = [
    path("", include((_calls, _app), namespace=_namespace)),
    re_path(r"^(?P<rest>.*)$", door(unknown)),
]
