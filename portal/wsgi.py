"""The portal without its front, for servers that buffer requests themselves (docs/configuration.md)."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
_django = get_wsgi_application()

from portal.ui.input import utf8_alone  # noqa: E402 - needs the settings


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    utf8_alone(environ)
    return _django(environ, start_response)
