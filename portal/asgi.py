"""The ASGI application of the web server (granian --interface asginl): the portal behind its front."""

from portal.wsgi import application as _portal  # first: it sets Django up

from portal.serving.front.start import front  # isort: skip

application = front(_portal)
