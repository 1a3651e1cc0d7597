from django.apps import AppConfig


class DagsConfig(AppConfig):
    name = "portal.dags"
    label = "dags"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.audit import compare
        from portal.dags.ledgers import RUNS

        compare.register(RUNS)
