"""Version and health of Airflow 2, and what it says where there is nothing."""

from __future__ import annotations

from typing import Any

from tests.fake_airflow.doors import PASSWORD
from tests.fake_airflow.replies import HTML, PROBLEM, Reply
from tests.fake_airflow.routing import Call, Router
from tests.fake_airflow.rows import Request
from tests.fake_airflow.state import State

router = Router(PASSWORD)

LOST = (
    "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again."
)


@router("GET", "/version", public=True)
def version(call: Call) -> Any:
    return {"git_version": "", "version": call.state.release.version}


@router("GET", "/health", public=True)
def health(call: Call) -> Any:
    parts = call.state.health
    heartbeat = call.state.heartbeat.isoformat()
    return {
        "metadatabase": {"status": parts["metadatabase"]},
        **{
            part: {f"latest_{part}_heartbeat": heartbeat if parts[part] else None, "status": parts[part]}
            for part in ("scheduler", "triggerer", "dag_processor")
        },
    }


def otherwise(state: State, request: Request, methods: set[str]) -> Reply:
    if not request.path.startswith(("/api/v1/", "/auth/fab/v1/")):
        return Reply(404, "<!DOCTYPE html>\n<html><body>Airflow 404: Page cannot be found.</body></html>", HTML)
    status, title, words = 404, "Not Found", LOST
    if methods:
        status, title, words = 405, "Method Not Allowed", "The method is not allowed for the requested URL."
    return Reply(status, {"detail": words, "status": status, "title": title, "type": "about:blank"}, PROBLEM)
