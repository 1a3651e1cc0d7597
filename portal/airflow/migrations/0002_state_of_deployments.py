"""The state of each deployment moves from the catalogue's rows to rows of its own."""

from datetime import datetime

from django.db import migrations

MOVED = ("status", "status_since", "status_detail", "checked_at", "airflow_version")
ACCOUNTS = ("granter", "runner")


def forwards(apps, schema_editor):
    states = apps.get_model("airflow", "DeploymentState").objects
    for deployment in apps.get_model("catalogue", "Deployment").objects.all():
        found = deployment.found
        locked_out = deployment.status == "needs_reauthentication"
        refused = found.get("refused", ACCOUNTS) if locked_out else ()
        lacking = found.get("lacking", {})
        states.create(
            deployment=deployment,
            **{name: getattr(deployment, name) for name in MOVED},
            **{f"{account}_refused": account in refused for account in ACCOUNTS},
            **{f"{account}_lacks": lacking.get(account) for account in ACCOUNTS},
            asks_to_wait="asks_to_wait" in found,
            waits_until=_moment(found.get("asks_to_wait")),
            auth_manager=found.get("auth_manager", "")[:200],
            examined_at=_moment(found.get("looked_into_at")),
            missing=found.get("missing", {}),
            health=found.get("health", {}),
            rate_limits=found.get("rate_limits", {}),
            clock_ahead=found.get("clock_ahead"),
        )


def backwards(apps, schema_editor):
    """What can be found again (`can`, `cannot`) is left out: the permissions and capabilities are read anew."""
    for state in apps.get_model("airflow", "DeploymentState").objects.select_related("deployment"):
        deployment = state.deployment
        for name in MOVED:
            setattr(deployment, name, getattr(state, name))
        found = {"health": state.health, "rate_limits": state.rate_limits, "clock_ahead": state.clock_ahead}
        if state.status == "needs_reauthentication":
            found["refused"] = [account for account in ACCOUNTS if getattr(state, f"{account}_refused")]
        if state.asks_to_wait:
            found["asks_to_wait"] = state.waits_until.isoformat() if state.waits_until else ""
        if state.missing:
            found["missing"] = state.missing
        deployment.found = found
        deployment.save(update_fields=[*MOVED, "found"])
    apps.get_model("airflow", "DeploymentState").objects.all().delete()


def _moment(written):
    return datetime.fromisoformat(written) if written else None


class Migration(migrations.Migration):
    dependencies = [
        ("airflow", "0001_initial"),
    ]

    operations = [migrations.RunPython(forwards, backwards)]
