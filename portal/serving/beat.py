"""The beat process: schedule and broker, without the portal's Django apps. It sends task names to the workers.

Started with `celery -A portal.serving.beat beat`. Loading the complete portal for it would take 35 MB more.
"""

import os
from typing import Any

import celery.beat
from celery import Celery
from celery.signals import beat_init
from django.apps import apps

from portal.core import heartbeat, private

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
app = Celery("gatehouse-beat", fixups=[])
app.config_from_object("django.conf:settings", namespace="CELERY")


class Scheduler(celery.beat.Scheduler):
    """Plain intervals; stores nothing between starts. Sleeps until a tick is due.

    Celery's own scheduler wakes 10 ms early and then spins, which costs half a per cent of a processor.
    """

    def adjust(self, n: float, drift: float = 0.002) -> float:
        return n + drift if n and n > 0 else n


@beat_init.connect
def begin(**_: Any) -> None:
    private.exit_if_exposed()
    apps.populate([])  # the database is used without the portal's apps
    heartbeat.begin("beat")
