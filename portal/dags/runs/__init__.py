"""Runs in Airflow: start, cancel, retry; their tasks, results, logs and notices, as the worker reads them."""
