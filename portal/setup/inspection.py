"""One look at a deployment, now, and what came of it in words and as data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.airflow import health
from portal.catalogue.models import Deployment
from portal.worker import readiness

ACCOUNTS = ("granter", "runner")


@dataclass(frozen=True)
class Look:
    """deployment: its row as it is after the look."""

    deployment: Deployment

    @property
    def is_up(self) -> bool:
        return self.deployment.status == Deployment.Status.UP

    @property
    def asks_to_wait(self) -> str | None:
        """Until when Airflow wants no calls, so that all else is of an earlier look; "" where it does not say.

        None where it could be looked at. Of one that is away or refuses us, what is kept may be older than that.
        """
        looked = self.deployment.status in (Deployment.Status.DOWN, Deployment.Status.NEEDS_REAUTHENTICATION)
        return None if looked else self.deployment.found.get("asks_to_wait")

    @property
    def is_known(self) -> bool:
        """Whether it was ever looked into, beyond its being up."""
        return self.is_up and "lacking" in self.deployment.found

    @property
    def lacking(self) -> dict[str, list[list[str]]]:
        """[permission, what for] by account."""
        return {account: self.deployment.found["lacking"][account] for account in ACCOUNTS} if self.is_known else {}

    @property
    def health(self) -> dict[str, str]:
        """ "healthy", "unhealthy", or "" where a part does not run or does not say."""
        return dict(self.deployment.found.get("health", {})) if self.is_up else {}

    @property
    def ok(self) -> bool:
        is_well = not any(self.lacking.values()) and "unhealthy" not in self.health.values()
        return self.is_known and self.asks_to_wait is None and is_well

    @property
    def lines(self) -> list[str]:
        """For people."""
        if self.asks_to_wait is None:
            return self._lines
        until = f"until {_moment(self.asks_to_wait)}" if self.asks_to_wait else "and does not say how long"
        return [
            f"{self.deployment.name}: not checked now, Airflow accepts no calls {until}",
            "  the following is from the last check",
            *self._lines,
        ]

    @property
    def _lines(self) -> list[str]:
        deployment = self.deployment
        status = deployment.get_status_display()
        if not self.is_up:
            return [f"{deployment.name}: {status}", *filter(None, [f"  {deployment.status_detail}".rstrip()])]
        if not self.is_known:
            return [f"{deployment.name}: {status}, not checked yet"]
        found = deployment.found
        lines = [f"{deployment.name}: {status}, Airflow {deployment.airflow_version} ({found['auth_manager']})"]
        lines += [f"  not possible there: {what} ({why})" for what, why in found["cannot"]]
        for account, lacking in self.lacking.items():
            lines += [f"  the {account} lacks {what} (to {why})" for what, why in lacking]
        lines += [f"  its {part.replace('_', ' ')} is {state}" for part, state in self.health.items() if state]
        if readiness.is_notable(found.get("clock_ahead")):
            lines.append(f"  its clock is {readiness.apart(found['clock_ahead'])} the database's")
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
            "asks_to_wait": self.asks_to_wait,
            "url": deployment.url,
            "version": deployment.airflow_version if self.is_up else None,
            "auth_manager": found.get("auth_manager"),
            "missing": found.get("missing", {}),
            "lacking": self.lacking,
            "health": self.health,
            "rate_limits": found.get("rate_limits", {}),
            "clock_ahead": found.get("clock_ahead"),
        }


def look(deployment: Deployment) -> Look:
    """Look at all of it, also at what the last look found a moment ago; what comes of it is kept, as ever."""
    deployment.found = {what: value for what, value in deployment.found.items() if what != "looked_into_at"}
    health.look_at(deployment)
    return Look(deployment)


def _moment(written: str) -> str:
    return f"{datetime.fromisoformat(written):%Y-%m-%d %H:%M:%S %Z}"
