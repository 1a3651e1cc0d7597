from django.apps import AppConfig
from django.db.backends.signals import connection_created


class ServingConfig(AppConfig):
    name = "portal.serving"
    label = "serving"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.core import sqlite_cursors
        from portal.serving import deploy_checks  # noqa: F401 - registers them

        connection_created.connect(sqlite_cursors.watch)
