"""A DAG with more tasks than Airflow lists at once. It stays paused: its runs cost nothing."""

from __future__ import annotations

from datetime import UTC, datetime

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow.models.dag import DAG
    from airflow.operators.empty import EmptyOperator

with DAG(
    dag_id="contract_wide",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
) as dag:
    for number in range(120):
        EmptyOperator(task_id=f"work_{number:03}")
