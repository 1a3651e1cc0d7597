"""The Airflow releases that the demo and the contract tests can run, and their differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

REPOSITORY = Path(__file__).resolve().parents[3]
DAGS = REPOSITORY / "demo" / "dags"


@dataclass(frozen=True)
class Release:
    """One Airflow release: its installation, its processes, and its health check."""

    version: str
    api: str
    health: str
    """The path of the health check, which needs no credentials."""
    parts: tuple[str, ...]
    """The components that must be "healthy" there before the release is up."""
    components: Mapping[str, Sequence[str]]
    """Name of each process -> arguments of `airflow`. "{port}" is replaced."""
    settings: Mapping[str, str]
    """Environment of these processes. "{url}", "{home}", "{dags}" and names of secrets are replaced."""
    variant: str = ""
    """Distinguishes several configurations of the same installation."""
    accounts: Literal["database", "configuration"] = "database"
    """Where its accounts are: `airflow users create` creates them, or the settings name them."""
    newest_python: tuple[int, int] | None = None
    """The newest Python that the release supports, if newer ones exist."""

    @property
    def name(self) -> str:
        """The unique name of the release and variant."""
        return f"{self.version}-{self.variant}" if self.variant else self.version

    @property
    def lock(self) -> Path:
        return REPOSITORY / "requirements" / f"airflow-{self.version}.txt"

    @property
    def folder(self) -> Path:
        """The default folder of its environment. One installation is shared by demo and tests."""
        return REPOSITORY / ".airflow" / self.version


FAB = "airflow.providers.fab.auth_manager"
BASIC = f"{FAB}.api.auth.backend.basic_auth"
EVERY = {
    "AIRFLOW_HOME": "{home}",
    "AIRFLOW__CORE__AUTH_MANAGER": f"{FAB}.fab_auth_manager.FabAuthManager",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": "{dags}",
    "AIRFLOW__CORE__FERNET_KEY": "{fernet_key}",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__PARALLELISM": "3",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:///{home}/airflow.db",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": "{home}/logs",
}
# the server reads the task logs from the same disk, so no second port is needed for them
SCHEDULER = ("scheduler", "--skip-serve-logs")

AIRFLOW_3 = Release(
    version="3.3.2",
    api="v2",
    health="/api/v2/monitor/health",
    parts=("metadatabase", "scheduler", "dag_processor"),
    components={
        "api-server": ("api-server", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1"),
        "scheduler": SCHEDULER,
        "dag-processor": ("dag-processor",),
    },
    settings={
        **EVERY,
        "AIRFLOW__API__BASE_URL": "{url}",
        "AIRFLOW__API__SECRET_KEY": "{session_secret}",
        "AIRFLOW__API_AUTH__JWT_SECRET": "{jwt_secret}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
    },
)
AIRFLOW_3_SIMPLE = replace(
    AIRFLOW_3,
    variant="simple",
    accounts="configuration",
    settings={
        **AIRFLOW_3.settings,
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": "{home}/passwords.json",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "{accounts}",
    },
)
# FAB 3.1.2 accepts tokens for roles and passwords for users; FAB 2.4.2 accepts passwords for both
AIRFLOW_3_1 = replace(
    AIRFLOW_3,
    version="3.1.6",
    newest_python=(3, 12),
    settings={**AIRFLOW_3.settings, "AIRFLOW__FAB__AUTH_BACKENDS": BASIC},
)
AIRFLOW_3_0 = replace(AIRFLOW_3_1, version="3.0.6")
AIRFLOW_2 = Release(
    version="2.11.2",
    api="v1",
    health="/api/v1/health",
    parts=("metadatabase", "scheduler"),
    newest_python=(3, 12),
    components={
        "webserver": ("webserver", "--hostname", "127.0.0.1", "--port", "{port}", "--workers", "2"),
        "scheduler": SCHEDULER,  # which parses the DAGs as well
    },
    settings={
        **EVERY,
        "AIRFLOW__API__AUTH_BACKENDS": BASIC,
        "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor",  # the only one it allows on SQLite
        "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "10",
        "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "15",
        "AIRFLOW__SCHEDULER__PARSING_PROCESSES": "1",
        # this executor blocks the scheduler's heartbeat while tasks run
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "180",
        "AIRFLOW__WEBSERVER__BASE_URL": "{url}",
        "AIRFLOW__WEBSERVER__CONFIG_FILE": str(Path(__file__).with_name("webserver_config.py")),
        "AIRFLOW__WEBSERVER__SECRET_KEY": "{session_secret}",
    },
)
RELEASES = {release.name: release for release in (AIRFLOW_3, AIRFLOW_2, AIRFLOW_3_1, AIRFLOW_3_0, AIRFLOW_3_SIMPLE)}
