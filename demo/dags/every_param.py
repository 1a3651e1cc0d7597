"""One parameter of every type that Airflow's own form knows, to test that each can be entered and arrives unchanged."""

from __future__ import annotations

import json
from datetime import datetime, timezone

try:
    from airflow.sdk import DAG, Param, task
except ImportError:  # Airflow 2
    from airflow.decorators import task
    from airflow.models.dag import DAG
    from airflow.models.param import Param

with DAG(
    dag_id="every_param",
    description="Prints its parameters: one of every type.",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["example"],
    default_args={"owner": "data"},
    params={
        "plain": "a value without a schema",
        "text": Param("hello", type="string", minLength=1, maxLength=50, title="Text", description="One line."),
        "optional_text": Param(None, type=["null", "string"], title="Text, may be left empty"),
        "required_text": Param("please change", type="string", pattern="^[a-z ]+$", title="Text with a pattern"),
        "multiline": Param("first\nsecond", type="string", format="multiline", title="Several lines"),
        "choice": Param("blue", type="string", enum=["red", "green", "blue"], title="Choice"),
        "labelled_choice": Param(
            2, type="integer", enum=[1, 2, 3], values_display={"1": "One", "2": "Two", "3": "Three"}, title="With labels"
        ),
        "suggestions": Param("alpha", type="string", examples=["alpha", "beta", "gamma"], title="With suggestions"),
        "whole_number": Param(3, type="integer", minimum=1, maximum=10, title="Whole number"),
        "number": Param(0.5, type="number", minimum=0, maximum=1, title="Number"),
        "optional_number": Param(None, type=["null", "integer"], title="Number, may be left empty"),
        "yes_or_no": Param(True, type="boolean", title="Yes or no"),
        "day": Param("2026-11-21", type="string", format="date", title="Day"),
        "optional_day": Param(None, type=["null", "string"], format="date", title="Day, may be left empty"),
        "moment": Param("2026-11-21T12:00:00+00:00", type="string", format="date-time", title="Moment"),
        "time_of_day": Param("12:30:00", type="string", format="time", title="Time of day"),
        "lines": Param(["one", "two"], type="array", title="Lines", description="One entry per line."),
        "numbers": Param([1, 2], type="array", items={"type": "number"}, title="List of numbers"),
        "multi_choice": Param(
            ["north"], type="array", examples=["north", "east", "south", "west"], title="Several choices"
        ),
        "objects": Param(
            [{"name": "a", "size": 1}],
            type="array",
            items={"type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}},
            title="List of objects",
        ),
        "object": Param({"key": "value"}, type=["object", "null"], title="Object"),
        "fixed": Param("cannot be changed", const="cannot be changed", title="Fixed"),
        "in_a_section": Param("here", type="string", section="Rarely needed", title="In a section of its own"),
    },
) as dag:

    @task
    def show(params=None) -> None:
        print(json.dumps(dict(params), indent=2, default=str))

    show()
