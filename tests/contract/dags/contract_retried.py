"""A DAG whose first task fails at its first try and succeeds when somebody clears it."""

from __future__ import annotations

from datetime import UTC, datetime

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow.decorators import task
    from airflow.models.dag import DAG

with DAG(
    dag_id="contract_retried",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
) as dag:

    @task
    def first(ti=None) -> dict[str, object]:
        print("the first line: ünïcode")
        if ti.try_number == 1:
            raise ValueError("the first try fails")
        ti.xcom_push("address", "https://reports.example.com/42")
        ti.xcom_push("digits", "42")
        ti.xcom_push("long", "x" * 100_000)
        return {"rows": 42, "parts": ["a", None]}

    @task
    def second(rows: dict[str, object]) -> None:
        print(f"{rows}")

    second(first())
