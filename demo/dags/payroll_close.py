"""A DAG that is never started without approval: it closes the payroll of one month."""

from __future__ import annotations

import time
from datetime import datetime, timezone

try:
    from airflow.sdk import DAG, Param, task
except ImportError:  # Airflow 2
    from airflow.decorators import task
    from airflow.models.dag import DAG
    from airflow.models.param import Param

with DAG(
    dag_id="payroll_close",
    description="Closes the payroll of one month. It cannot be undone.",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["finance", "critical"],
    default_args={"owner": "finance"},
    params={
        "month": Param("2026-10", type="string", pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$", title="Month"),
        "currency": Param("KRW", type="string", enum=["KRW", "EUR", "USD"], title="Currency"),
    },
) as dag:

    @task
    def check_totals(params=None) -> None:
        print(f"checking the totals of {params['month']}")
        time.sleep(1)

    @task
    def close_books(params=None) -> None:
        print(f"{params['month']} is closed in {params['currency']}")

    check_totals() >> close_books()
