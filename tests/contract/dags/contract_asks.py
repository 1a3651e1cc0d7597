"""A DAG with a task that waits for a person, where Airflow has those."""

from __future__ import annotations

from datetime import UTC, datetime

try:
    from airflow.providers.standard.operators.hitl import HITLOperator
    from airflow.sdk import DAG
except ImportError:  # before Airflow 3.1
    DAG = None

if DAG is not None:
    with DAG(
        dag_id="contract_asks",
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
    ) as dag:
        HITLOperator(
            task_id="work", subject="Publish the figures?", body="They are final.", options=["Approve", "Reject"]
        )
