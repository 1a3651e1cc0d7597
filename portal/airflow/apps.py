from django.apps import AppConfig


class AirflowConfig(AppConfig):
    name = "portal.airflow"
    label = "airflow"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.airflow import states  # models are there only now
        from portal.catalogue import actions

        actions.DEPLOYMENTS_CHANGED.append(states.reset)
