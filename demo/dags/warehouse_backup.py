"""A slow DAG: several tasks, about one minute, so that you can watch a run."""

from __future__ import annotations

import time
from datetime import datetime, timezone

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow.decorators import task
    from airflow.models.dag import DAG

with DAG(
    dag_id="warehouse_backup",
    description="Backs up the warehouse: three exports side by side, then checks them.",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["warehouse"],
    default_args={"owner": "data"},
) as dag:

    @task
    def prepare() -> None:
        print("making room for the backup")
        time.sleep(5)

    @task
    def export(table: str, seconds: int) -> None:
        for second in range(seconds):
            print(f"{table}: {100 * second // seconds} %")
            time.sleep(1)

    @task
    def verify() -> None:
        print("comparing checksums")
        time.sleep(10)

    exports = [
        export.override(task_id=f"export_{table}")(table, seconds)
        for table, seconds in (("orders", 25), ("customers", 15), ("stock", 20))
    ]
    prepare() >> exports >> verify()
