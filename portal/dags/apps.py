from django.apps import AppConfig


class DagsConfig(AppConfig):
    name = "portal.dags"
    label = "dags"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.audit import compare
        from portal.dags.ledgers import RUNS
        from portal.dags.operation_kinds import KINDS
        from portal.operations import kinds

        compare.register(RUNS)
        kinds.register(*KINDS)
