from django.apps import AppConfig


class DagsConfig(AppConfig):
    name = "portal.dags"
    label = "dags"
    default_auto_field = "django.db.models.BigAutoField"
