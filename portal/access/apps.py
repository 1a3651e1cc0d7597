from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "portal.access"
    label = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.access.kinds import ACCESS  # imports models, which are loaded by now
        from portal.access.ledgers import GRANTS
        from portal.access.operation_kinds import KINDS
        from portal.approvals import kinds, ledgers
        from portal.audit import compare
        from portal.operations import kinds as operation_kinds

        kinds.register(ACCESS)
        ledgers.register(ACCESS)
        operation_kinds.register(*KINDS)
        compare.register(GRANTS)
