"""Each process gets the environment it needs."""

from __future__ import annotations

import pytest

from portal.serving import child_env, processes

GIVEN = {
    "PATH": "/bin",
    "LC_ALL": "C.UTF-8",
    "https_proxy": "http://proxy:3128",
    "PGPASSWORD": "x",
    "KRB5CCNAME": "FILE:/run/krb5cc",
    "OPENSSL_CONF": "/etc/ssl/fips.cnf",
    "SSL_CERT_FILE": "/etc/ssl/ca.pem",
    "GATEHOUSE_SECRET_KEY": "x",
    "AIRFLOW_DEMO_ACCESS": "hunter2",
    "AIRFLOW_DEMO_RUNS": "hunter3",
    "AWS_SECRET_ACCESS_KEY": "hunter4",
    "CLOUDSDK_CONFIG": "/run/gcloud",
    "SOMETHING_ELSE": "hunter5",
}
SHARED = {
    "PATH", "LC_ALL", "https_proxy", "PGPASSWORD", "KRB5CCNAME", "OPENSSL_CONF", "SSL_CERT_FILE",
    "GATEHOUSE_SECRET_KEY",
}  # fmt: skip
LIVE = {"AIRFLOW_DEMO_RUNS", "AWS_SECRET_ACCESS_KEY", "CLOUDSDK_CONFIG"}


@pytest.mark.parametrize(("child", "more"), [("web", LIVE), ("beat", set())])
def test_web_and_beat_get_no_secret_of_a_granter(child, more):
    names = child_env.names_for(child, GIVEN, runner=["AIRFLOW_DEMO_RUNS", "NOT_SET"])
    assert set(names) == SHARED | more


def test_the_worker_gets_all_variables():
    assert child_env.names_for("worker", GIVEN, runner=[]) is None


@pytest.mark.django_db
def test_the_plan_gives_each_process_its_own_variables(catalogue, tmp_path, monkeypatch, settings):
    settings.CONFIG_FILE = tmp_path / "none.toml"
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    plan = {one["name"]: one["env"] for one in processes.portal_children(host="h", port=1, heartbeats=tmp_path)}
    assert {"AIRFLOW_DEMO_ACCESS", "AIRFLOW_DEMO_RUNS"} & set(plan["web"]) == {"AIRFLOW_DEMO_RUNS"}
    assert not {"AIRFLOW_DEMO_ACCESS", "AIRFLOW_DEMO_RUNS"} & set(plan["beat"])
    assert plan["worker"] is None


def test_a_catalogue_file_that_is_not_applied_yet_counts(db, tmp_path, settings):
    settings.CONFIG_FILE = tmp_path / "gatehouse.toml"
    assert child_env.runner_variables() == set()
    settings.CONFIG_FILE = settings.BASE_DIR / "demo" / "gatehouse.toml"
    assert child_env.runner_variables() == {"AIRFLOW_DEMO_RUNS"}
