"""Checks a deployment now; the result in words and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.airflow import health
from portal.airflow.models import DeploymentState
from portal.airflow.states import state_of
from portal.catalogue.models import Deployment
from portal.core import clock
from portal.worker import readiness

S = DeploymentState.Status


@dataclass(frozen=True)
class Look:
    """state: the deployment's state after the check."""

    state: DeploymentState

    @property
    def is_up(self) -> bool:
        return self.state.status == S.UP

    @property
    def asks_to_wait(self) -> str | None:
        """Until when Airflow accepts no calls (the other fields are then of an earlier check); "" if it does not say.

        None if it was checked now. If the deployment is down or refuses Gatehouse, a stored time may be outdated.
        """
        if self.state.status in (S.DOWN, S.NEEDS_REAUTHENTICATION) or not self.state.asks_to_wait:
            return None
        return clock.iso_or_empty(self.state.waits_until)

    @property
    def is_known(self) -> bool:
        """Whether its capabilities and permissions were ever read."""
        return self.is_up and self.state.examined_at is not None

    @property
    def lacking(self) -> dict[str, list[list[str]]]:
        """[permission, purpose] for each account."""
        return self.state.lacking if self.is_known else {}

    @property
    def health(self) -> dict[str, str]:
        """ "healthy", "unhealthy", or "" if a component does not run or does not report."""
        return dict(self.state.health) if self.is_up else {}

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
            f"{self.state.deployment.name}: not checked now, Airflow accepts no calls {until}",
            "  the following is from the last check",
            *self._lines,
        ]

    @property
    def _lines(self) -> list[str]:
        state, name = self.state, self.state.deployment.name
        status = state.get_status_display()
        if not self.is_up:
            return [f"{name}: {status}", *filter(None, [f"  {state.status_detail}".rstrip()])]
        if not self.is_known:
            return [f"{name}: {status}, not checked yet"]
        lines = [f"{name}: {status}, Airflow {state.airflow_version} ({state.auth_manager})"]
        lines += [f"  not possible there: {what} ({why})" for what, why in state.cannot]
        for account, lacking in self.lacking.items():
            lines += [f"  the {account} lacks {what} (to {why})" for what, why in lacking]
        lines += [f"  its {part.replace('_', ' ')} is {health}" for part, health in self.health.items() if health]
        if state.clock_ahead is not None and readiness.is_notable(state.clock_ahead):
            lines.append(f"  its clock is {readiness.apart(state.clock_ahead)} the database's")
        if any(self.lacking.values()):
            lines.append(f"  `manage.py deployment bootstrap {name}` gives the accounts these permissions")
        return lines

    def as_json(self) -> dict[str, Any]:
        state = self.state
        return {
            "name": state.deployment.name,
            "ok": self.ok,
            "status": state.status,
            "said": state.status_detail,
            "asks_to_wait": self.asks_to_wait,
            "url": state.deployment.url,
            "version": state.airflow_version if self.is_up else None,
            "auth_manager": state.auth_manager or None if self.is_up else None,
            "missing": state.missing if self.is_up else {},
            "lacking": self.lacking,
            "health": self.health,
            "rate_limits": state.rate_limits if self.is_up else {},
            "clock_ahead": state.clock_ahead if self.is_up else None,
        }


def look(deployment: Deployment) -> Look:
    """Check the deployment now, with its capabilities and permissions, and store the result."""
    health.check(deployment, examine=True)
    return Look(state_of(deployment))


def _moment(written: str) -> str:
    return f"{datetime.fromisoformat(written):%Y-%m-%d %H:%M:%S %Z}"
