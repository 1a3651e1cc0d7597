"""The DAGs a fake Airflow starts with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.fake_airflow.rows import FakeDag

TOLD = Path(__file__).parent.parent / "contract" / "told.json"
"""What real Airflows tell of the demo's DAGs."""


def demo_dags() -> list[FakeDag]:
    """Like those in demo/dags, as far as the portal sees them."""
    region = {"type": "string", "enum": ["KR", "APAC", "EU"], "title": "Region"}
    return [
        FakeDag(
            "sales_report",
            params={
                "region": {"value": "KR", "schema": region},
                "dry_run": {"value": True, "schema": {"type": "boolean"}, "description": "Do everything but publish."},
                "date": {"value": "2026-11-21", "schema": {"type": "string", "format": "date"}},
            },
            description="Sales figures of one region, collected and published.",
            tasks=("collect", "publish"),
            tags=("report", "sales"),
            owner="sales",
        ),
        FakeDag(
            "payroll_close",
            params={"month": {"value": "2026-10", "schema": {"type": "string"}}},
            tasks=("check_totals", "close_books"),
            tags=("critical", "finance"),
            owner="finance",
        ),
        FakeDag("warehouse_backup", tasks=("prepare", "export_orders", "verify"), tags=("warehouse",), owner="data"),
        FakeDag("flaky_import", tasks=("fetch", "load"), tags=("import",), owner="data"),
        FakeDag(
            "every_param",
            params=_every_param(),
            tasks=("show",),
            tags=("example",),
            owner="data",
        ),
    ]


def _every_param() -> dict[str, dict[str, Any]]:
    """The parameters as real Airflows tell them: the description is beside the schema."""
    told = json.loads(TOLD.read_text())["every_param"]["params"]
    return {name: {**param, "description": param["schema"].pop("description", None)} for name, param in told.items()}
