from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "portal.access"
    label = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.access.ledgers import GRANTS, REQUESTS
        from portal.audit import compare

        compare.register(REQUESTS, GRANTS)
