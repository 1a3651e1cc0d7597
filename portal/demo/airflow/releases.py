"""The Airflow releases the demo and the contract tests can run, and what differs between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
DAGS = REPOSITORY / "demo" / "dags"


@dataclass(frozen=True)
class Release:
    """One Airflow release: how it is installed, which processes it consists of, where it says that it is well."""

    version: str
    api: str
    health: str
    """Path that answers without credentials with the state of each part."""
    parts: tuple[str, ...]
    """What must be "healthy" there before the release counts as up."""
    components: Mapping[str, Sequence[str]]
    """Name of each process -> arguments of `airflow`; "{port}" is replaced."""
    settings: Mapping[str, str]
    """Environment of these processes; "{url}", "{home}", "{dags}" and the secrets' names are replaced."""

    @property
    def lock(self) -> Path:
        return REPOSITORY / "requirements" / f"airflow-{self.version}.txt"

    @property
    def folder(self) -> Path:
        """Where its environment is installed unless told otherwise; one installation serves demo and tests."""
        return REPOSITORY / ".airflow" / self.version


AIRFLOW_3 = Release(
    version="3.3.2",
    api="v2",
    health="/api/v2/monitor/health",
    parts=("metadatabase", "scheduler", "dag_processor"),
    components={
        "api-server": ("api-server", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1"),
        # the api-server reads the task logs from the same disk, so nobody needs to serve them on a second port
        "scheduler": ("scheduler", "--skip-serve-logs"),
        "dag-processor": ("dag-processor",),
    },
    settings={
        "AIRFLOW_HOME": "{home}",
        "AIRFLOW__API__BASE_URL": "{url}",
        "AIRFLOW__API__SECRET_KEY": "{session_secret}",
        "AIRFLOW__API_AUTH__JWT_SECRET": "{jwt_secret}",
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": "{dags}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": "{fernet_key}",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "3",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:///{home}/airflow.db",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": "{home}/logs",
    },
)
RELEASES = {release.version: release for release in (AIRFLOW_3,)}
