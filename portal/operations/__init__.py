"""The outbox: intended changes to Airflow, each executed by a worker. Processes and their heartbeats."""
