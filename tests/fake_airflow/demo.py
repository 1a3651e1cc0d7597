"""The DAGs a fake Airflow starts with."""

from __future__ import annotations

from tests.fake_airflow.rows import FakeDag


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
            params={
                "plain": {"value": "a value without a schema", "schema": {}},
                "text": {"value": "hello", "schema": {"type": "string"}, "description": "One line."},
                "optional_text": {"value": None, "schema": {"type": ["null", "string"]}},
                "choice": {"value": "blue", "schema": {"type": "string", "enum": ["red", "green", "blue"]}},
                "whole_number": {"value": 3, "schema": {"type": "integer", "minimum": 1, "maximum": 10}},
                "lines": {"value": ["one", "two"], "schema": {"type": "array"}},
            },
            tasks=("show",),
            tags=("example",),
            owner="data",
        ),
    ]
