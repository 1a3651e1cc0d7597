from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "portal.approvals"
    label = "approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.approvals import lapsing, principals  # imports models, which are loaded by now
        from portal.approvals.ledgers import REQUESTS
        from portal.audit import compare
        from portal.catalogue import actions

        compare.register(REQUESTS)
        actions.AFTER_APPLY.append(lapsing.lapse_outdated)
        actions.STILL_APPROVERS.append(principals.of_open_requests)
