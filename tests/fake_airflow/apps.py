"""Which endpoints a release has, and where."""

from __future__ import annotations

from functools import cache

from tests.fake_airflow.releases import FakeRelease
from tests.fake_airflow.routing import App
from tests.fake_airflow.v1 import dags as v1_dags
from tests.fake_airflow.v1 import roles as v1_roles
from tests.fake_airflow.v1 import runs as v1_runs
from tests.fake_airflow.v1 import server as v1_server
from tests.fake_airflow.v1 import tasks as v1_tasks
from tests.fake_airflow.v1 import users as v1_users
from tests.fake_airflow.v1 import variables as v1_variables
from tests.fake_airflow.v2 import backfills as v2_backfills
from tests.fake_airflow.v2 import dags as v2_dags
from tests.fake_airflow.v2 import hitl as v2_hitl
from tests.fake_airflow.v2 import logs as v2_logs
from tests.fake_airflow.v2 import roles as v2_roles
from tests.fake_airflow.v2 import runs as v2_runs
from tests.fake_airflow.v2 import server as v2_server
from tests.fake_airflow.v2 import tasks as v2_tasks
from tests.fake_airflow.v2 import users as v2_users
from tests.fake_airflow.v2 import variables as v2_variables

FAB = "/auth/fab/v1"


@cache
def app_of(release: FakeRelease) -> App:
    return _airflow_2() if release.api == "v1" else _airflow_3(release)


def _airflow_2() -> App:
    core = (v1_server, v1_dags, v1_runs, v1_tasks, v1_variables)
    people = [v1_users.router, v1_roles.router, v1_roles.permissions_router]
    mounts = [("/api/v1", router) for router in (*(module.router for module in core), *people)]
    return App([*mounts, *((FAB, router) for router in people)], v1_server.otherwise)


def _airflow_3(release: FakeRelease) -> App:
    core = [v2_server, v2_dags, v2_runs, v2_tasks, v2_logs, v2_variables, v2_backfills]
    if release.since(3, 1):
        core.append(v2_hitl)
    mounts = [("/auth", v2_server.auth_router), *(("/api/v2", module.router) for module in core)]
    by_token = {
        "users": v2_users.router,
        "roles": v2_roles.router,
        "permissions": v2_roles.permissions_router,
    }
    by_password = {
        "users": v1_users.router,
        "roles": v1_roles.router,
        "permissions": v1_roles.permissions_router,
    }
    takes = {"users": release.users, "roles": release.roles, "permissions": release.permissions}
    for group, credentials in takes.items():
        if credentials:
            mounts.append((FAB, (by_token if credentials == "token" else by_password)[group]))
    return App(mounts, v2_server.otherwise)
