"""What the web server runs (granian --interface asginl): the portal behind its front."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
_portal = get_wsgi_application()

from portal.serving.front.start import front  # noqa: E402 - reads the settings

application = front(_portal)
