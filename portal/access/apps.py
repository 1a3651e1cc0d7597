from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "portal.access"
    label = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.access.kinds import ACCESS  # models are there only now
        from portal.access.ledgers import GRANTS
        from portal.approvals import kinds, ledgers
        from portal.audit import compare

        kinds.register(ACCESS)
        ledgers.register(ACCESS)
        compare.register(GRANTS)
