from django.apps import AppConfig


class AirflowConfig(AppConfig):
    name = "portal.airflow"
    label = "airflow"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.airflow import dag_roles, listings, states  # models are there only now
        from portal.catalogue import actions, covering

        actions.DEPLOYMENTS_CHANGED.append(states.reset)
        actions.dag_role_name = dag_roles.dag_role_name
        covering.listed = listings.known
