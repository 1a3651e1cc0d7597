"""A DAG with a schedule, for backfills. It is paused from the start, so nothing runs by itself."""

from __future__ import annotations

from datetime import UTC, datetime

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow.models.dag import DAG
    from airflow.operators.empty import EmptyOperator

with DAG(
    dag_id="contract_daily",
    schedule="0 5 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    tags=["contract"],
) as dag:
    EmptyOperator(task_id="work")
