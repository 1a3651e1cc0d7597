"""A DAG that fails at the first try and succeeds at the second, like an import from another company's system."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow.decorators import task
    from airflow.models.dag import DAG

with DAG(
    dag_id="flaky_import",
    description="Imports the partners' orders. The first try fails, the second succeeds.",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["import"],
    default_args={"owner": "data"},
) as dag:

    @task(retries=1, retry_delay=timedelta(seconds=2))
    def fetch(ti=None) -> int:
        if ti.try_number == 1:
            raise ConnectionError("partner.example.com refused the connection")
        return 17

    @task
    def load(rows: int) -> None:
        print(f"{rows} orders loaded")

    load(fetch())
