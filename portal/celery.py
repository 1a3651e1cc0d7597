"""The Celery application. A message is only a hint; the table of operations is authoritative (portal/operations)."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
TRANSPORT_ALIASES["embedded"] = "portal.serving.transport:Transport"  # loaded only when it is used
app = Celery("gatehouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["portal.worker"])
