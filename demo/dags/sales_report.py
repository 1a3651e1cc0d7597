"""The DAG that most people start: a report per region. For the region EU its last task fails, as an example."""

from __future__ import annotations

import time
from datetime import date, datetime, timezone

try:
    from airflow.sdk import DAG, Param, Variable, task
except ImportError:  # Airflow 2
    from airflow.decorators import task
    from airflow.models import Variable
    from airflow.models.dag import DAG
    from airflow.models.param import Param



def _variable(key: str, default: str) -> str:
    try:
        return Variable.get(key)
    except Exception:  # there is none: KeyError in Airflow 2, AirflowRuntimeError in Airflow 3
        return default


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
        mode, days = _variable("report_mode", "full"), _variable("report_days", "7")
        print(f"collecting the sales of {params['region']}, {days} days up to {params['date']}, mode {mode}")
        time.sleep(1)
        return 42 if mode == "full" else 4

    @task
    def publish(orders: int, params=None) -> None:
        if params["region"] == "EU":
            raise ValueError("boom: the EU ledger is closed for this day, the report cannot be published")
        print(f"{orders} orders, " + ("not published: dry run" if params["dry_run"] else "published"))

    publish(collect())
