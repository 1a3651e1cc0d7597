from django.apps import AppConfig


class AirflowConfig(AppConfig):
    name = "portal.airflow"
    label = "airflow"
    default_auto_field = "django.db.models.BigAutoField"
