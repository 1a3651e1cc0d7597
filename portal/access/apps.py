from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "portal.access"
    label = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.access import lapsing  # models are there only now
        from portal.access.ledgers import GRANTS, REQUESTS
        from portal.audit import compare
        from portal.catalogue import actions

        compare.register(REQUESTS, GRANTS)
        actions.AFTER_APPLY.append(lapsing.lapse_outdated)
