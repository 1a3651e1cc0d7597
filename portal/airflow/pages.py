"""The addresses of Airflow's own pages, for people who have an account there."""

from __future__ import annotations

from urllib.parse import quote

from portal.catalogue.models import Deployment


def dag_page(deployment: Deployment, dag_id: str) -> str:
    dag = quote(dag_id, safe="")
    return (
        f"{deployment.url}/dags/{dag}/grid" if deployment.api == Deployment.Api.V1 else f"{deployment.url}/dags/{dag}"
    )


def run_page(deployment: Deployment, dag_id: str, dag_run_id: str) -> str:
    run = quote(dag_run_id, safe="")
    if deployment.api == Deployment.Api.V1:
        return f"{dag_page(deployment, dag_id)}?dag_run_id={run}"
    return f"{dag_page(deployment, dag_id)}/runs/{run}"
