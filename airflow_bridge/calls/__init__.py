"""What can be asked of an Airflow, by subject; `airflow_bridge.v1` and `airflow_bridge.v2` put it together and say
where their Airflow differs."""
