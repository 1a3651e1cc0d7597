"""A DAG whose parameters have bounds of every kind. It is always paused, so its runs cost nothing."""

from __future__ import annotations

from datetime import UTC, datetime

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow.models.dag import DAG
    from airflow.models.param import Param
    from airflow.operators.empty import EmptyOperator

with DAG(
    dag_id="contract_bounded",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    params={
        "rows": Param(5, type="integer", minimum=1, maximum=10),
        "share": Param(0.5, type="number", exclusiveMinimum=0, exclusiveMaximum=1),
        "pages": Param(20, type="integer", multipleOf=10),
        "code": Param("KR-1", type="string", pattern="^[A-Z]{2}-[0-9]$"),
        "name": Param("abc", type="string", minLength=3, maxLength=5),
        "region": Param("KR", type="string", enum=["KR", "EU"]),
        "day": Param("2026-11-21", type="string", format="date"),
        "moment": Param("2026-11-21T17:00:00+00:00", type="string", format="date-time"),
        "limit": Param(None, type=["null", "integer"], maximum=100),
        "tables": Param(["a"], type="array", items={"type": "string"}, minItems=1, maxItems=2, uniqueItems=True),
        "target": Param({"host": "x"}, type="object", required=["host"], additionalProperties=False,
                        properties={"host": {"type": "string"}}),
        "full": Param(True, type="boolean"),
    },
) as dag:  # fmt: skip
    EmptyOperator(task_id="work")
