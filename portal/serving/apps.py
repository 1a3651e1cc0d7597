from django.apps import AppConfig


class ServingConfig(AppConfig):
    name = "portal.serving"
    label = "serving"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.serving import deploy_checks  # noqa: F401 - registers them
