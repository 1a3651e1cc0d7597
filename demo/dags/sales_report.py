"""The DAG that most people start: a report per region. For the region EU its last task fails, as an example."""

from __future__ import annotations

import time
from datetime import date, datetime, timezone

try:
    from airflow.sdk import DAG, Param, task
except ImportError:  # Airflow 2
    from airflow.decorators import task
    from airflow.models.dag import DAG
    from airflow.models.param import Param

with DAG(
    dag_id="sales_report",
    description="Sales figures of one region, collected and published.",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["sales", "report"],
    default_args={"owner": "sales"},
    params={
        "region": Param("KR", type="string", enum=["KR", "APAC", "EU"], title="Region"),
        "dry_run": Param(True, type="boolean", title="Dry run", description="Do everything but publish."),
        "date": Param(date.today().isoformat(), type="string", format="date", title="Day of the figures"),
    },
) as dag:

    @task
    def collect(params=None) -> int:
        print(f"collecting the sales of {params['region']} on {params['date']}")
        time.sleep(1)
        return 42

    @task
    def publish(orders: int, params=None) -> None:
        if params["region"] == "EU":
            raise ValueError("boom: the EU ledger is closed for this day, the report cannot be published")
        print(f"{orders} orders, " + ("not published: dry run" if params["dry_run"] else "published"))

    publish(collect())
