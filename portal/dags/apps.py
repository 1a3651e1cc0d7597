from django.apps import AppConfig


class DagsConfig(AppConfig):
    name = "portal.dags"
    label = "dags"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.approvals import kinds as request_kinds
        from portal.approvals import ledgers
        from portal.audit import compare
        from portal.dags.ledgers import RUNS
        from portal.dags.operation_kinds import KINDS
        from portal.dags.permits.permit_kind import PERMIT_LEDGER, PERMITS
        from portal.dags.requests.run_kind import RUN
        from portal.dags.variables.variable_kind import VARIABLES
        from portal.operations import kinds

        for kind in (RUN, PERMITS, VARIABLES):
            request_kinds.register(kind)
            ledgers.register(kind)
        compare.register(PERMIT_LEDGER)
        compare.register(RUNS)
        kinds.register(*KINDS)
