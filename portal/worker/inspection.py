"""One look at a deployment, now, and what came of it in words and as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portal.catalogue.models import Deployment
from portal.worker import health

ACCOUNTS = ("granter", "runner")


@dataclass(frozen=True)
class Look:
    """deployment: its row as it is after the look."""

    deployment: Deployment

    @property
    def is_up(self) -> bool:
        return self.deployment.status == Deployment.Status.UP

    @property
    def lacking(self) -> dict[str, list[list[str]]]:
        """[permission, what for] by account."""
        return {account: self.deployment.found["lacking"][account] for account in ACCOUNTS} if self.is_up else {}

    @property
    def health(self) -> dict[str, str]:
        """ "healthy", "unhealthy", or "" where a part does not run or does not say."""
        return dict(self.deployment.found["health"]) if self.is_up else {}

    @property
    def ok(self) -> bool:
        return self.is_up and not any(self.lacking.values()) and "unhealthy" not in self.health.values()

    @property
    def lines(self) -> list[str]:
        """For people."""
        deployment = self.deployment
        status = deployment.get_status_display()
        if not self.is_up:
            return [f"{deployment.name}: {status}", f"  {deployment.status_detail}"]
        found = deployment.found
        lines = [f"{deployment.name}: {status}, Airflow {deployment.airflow_version} ({found['auth_manager']})"]
        lines += [f"  not possible there: {what} ({why})" for what, why in found["cannot"]]
        for account, lacking in self.lacking.items():
            lines += [f"  the {account} lacks {what} (to {why})" for what, why in lacking]
        lines += [f"  its {part.replace('_', ' ')} is {state}" for part, state in self.health.items() if state]
        if any(self.lacking.values()):
            lines.append(f"  `manage.py deployment bootstrap {deployment.name}` gives the accounts what they lack")
        return lines

    def as_json(self) -> dict[str, Any]:
        deployment = self.deployment
        found = deployment.found if self.is_up else {}
        return {
            "name": deployment.name,
            "ok": self.ok,
            "status": deployment.status,
            "said": deployment.status_detail,
            "url": deployment.url,
            "version": deployment.airflow_version if self.is_up else None,
            "auth_manager": found.get("auth_manager"),
            "missing": found.get("missing", {}),
            "lacking": self.lacking,
            "health": self.health,
            "rate_limits": found.get("rate_limits", {}),
        }


def look(deployment: Deployment) -> Look:
    """Look at all of it, also at what the last look found a moment ago; what comes of it is kept, as ever."""
    deployment.found = {what: value for what, value in deployment.found.items() if what != "looked_into_at"}
    health.look_at(deployment)
    return Look(deployment)
