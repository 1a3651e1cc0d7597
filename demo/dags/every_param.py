"""Parameters of every kind that Airflow's own form knows, to test that each can be entered and arrives unchanged."""

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
    description="Prints its parameters, which are of every kind that a form can have.",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["example"],
    default_args={"owner": "data"},
    params={
        # without a type: Airflow takes the type of the value
        "plain": "a value without a schema",
        "plain_number": 3,
        "plain_switch": False,
        "plain_list": ["one", "two"],
        "plain_object": {"key": "value"},
        "text": Param("hello", type="string", minLength=1, maxLength=50, title="Text", description="One line."),
        "optional_text": Param(None, type=["null", "string"], title="Text, may be left empty"),
        "required_text": Param("please change", type="string", pattern="^[a-z ]+$", title="Text with a pattern"),
        "suggestions": Param("alpha", type="string", examples=["alpha", "beta", "gamma"], title="With suggestions"),
        "email": Param("data@example.com", type="string", format="email", title="E-mail address"),
        "address": Param("https://example.com/in", type="string", format="uri", title="Web address"),
        "password": Param("demo", type="string", format="password", title="Password"),
        "multiline": Param("first\nsecond", type="string", format="multiline", title="Several lines"),
        "optional_multiline": Param(
            None, type=["string", "null"], format="multiline", title="Several lines, may be left empty"
        ),
        "whole_number": Param(3, type="integer", minimum=1, maximum=10, title="Whole number"),
        "number": Param(0.5, type="number", minimum=0, maximum=1, title="Number"),
        "multiple": Param(14, type="integer", exclusiveMinimum=0, multipleOf=7, title="Whole weeks, in days"),
        "optional_number": Param(None, type=["null", "integer"], title="Number, may be left empty"),
        "yes_or_no": Param(True, type="boolean", title="Yes or no"),
        "optional_yes_or_no": Param(None, type=["null", "boolean"], title="Yes or no, may be left open"),
        "choice": Param("blue", type="string", enum=["red", "green", "blue"], title="Choice", section="Choices"),
        "labelled_choice": Param(
            2,
            type="integer",
            enum=[1, 2, 3],
            values_display={"1": "One", "2": "Two", "3": "Three"},
            title="With labels",
            section="Choices",
        ),
        "long_choice": Param(
            "March",
            type="string",
            enum=["January", "February", "March", "April", "May", "June", "July", "August"],
            title="Of many",
            section="Choices",
        ),
        "optional_choice": Param(
            None, type=["string", "null"], enum=["north", "south", None], title="May be left open", section="Choices"
        ),
        "multi_choice": Param(
            ["north"],
            type="array",
            examples=["north", "east", "south", "west"],
            title="Several choices",
            section="Choices",
        ),
        "labelled_multi_choice": Param(
            ["2", "3"],
            type="array",
            examples=["1", "2", "3"],
            values_display={"1": "One", "2": "Two", "3": "Three"},
            title="Several choices with labels",
            section="Choices",
        ),
        "day": Param("2026-11-21", type="string", format="date", title="Day", section="Dates and times"),
        "optional_day": Param(
            None, type=["null", "string"], format="date", title="Day, may be left empty", section="Dates and times"
        ),
        "moment": Param(
            "2026-11-21T12:00:00+00:00", type="string", format="date-time", title="Moment", section="Dates and times"
        ),
        "time_of_day": Param(
            "12:30:00", type=["string", "null"], format="time", title="Time of day", section="Dates and times"
        ),
        "duration": Param("PT15M", type="string", format="duration", title="Duration", section="Dates and times"),
        "lines": Param(
            ["one", "two"], type="array", title="Lines", description="One entry per line.", section="Lists and objects"
        ),
        "addresses": Param(
            ["one@example.com"],
            type="array",
            items={"type": "string", "format": "email"},
            title="E-mail addresses",
            section="Lists and objects",
        ),
        "optional_lines": Param(
            None, type=["array", "null"], title="Lines, may be left empty", section="Lists and objects"
        ),
        "numbers": Param(
            [1, 2], type="array", items={"type": "number"}, title="List of numbers", section="Lists and objects"
        ),
        "objects": Param(
            [{"name": "a", "size": 1}],
            type="array",
            items={
                "type": "object",
                "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
                "required": ["name"],
            },
            title="List of objects",
            section="Lists and objects",
        ),
        "object": Param({"key": "value"}, type=["object", "null"], title="Object", section="Lists and objects"),
        "number_or_text": Param(
            1000,
            type=["integer", "string"],
            title="Number or text",
            description_md="Rows of a batch, or **all**. See [the table](https://example.com/batches) for `all`.",
            section="Several types",
        ),
        "switch_or_text": Param(True, type=["boolean", "string"], title="Yes, no or text", section="Several types"),
        "text_or_object": Param("nightly", type=["string", "object"], title="Text or object", section="Several types"),
        "anything": Param(
            None, type=["string", "integer", "null"], title="Text, number or nothing", section="Several types"
        ),
        "fixed": Param("cannot be changed", const="cannot be changed", title="Fixed"),
        "in_a_section": Param("here", type="string", section="Rarely needed", title="In a section of its own"),
    },
) as dag:

    @task
    def show(params=None) -> None:
        print(json.dumps({**params, "password": "not shown"}, indent=2, default=str))

    show()
