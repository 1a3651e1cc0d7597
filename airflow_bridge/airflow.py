"""What can be asked of an Airflow, whatever its version; `airflow_bridge.client.connect` makes the right one."""

from __future__ import annotations

from airflow_bridge.calls.about import About
from airflow_bridge.calls.backfills import Backfills
from airflow_bridge.calls.human import Human
from airflow_bridge.calls.runs import Runs
from airflow_bridge.calls.variables import Variables


class Airflow(About, Backfills, Human, Runs, Variables):
    """One deployment, one account. Thread-safe. Every call raises BridgeError's children and nothing else.

    Lists are read page by page while you go through them. A call that this Airflow does not have raises Unsupported.
    `airflow_bridge.v1` and `airflow_bridge.v2` say where their Airflow differs.
    """
