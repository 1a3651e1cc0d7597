"""The answers of Airflow 2's API; the users and roles of old FAB providers under Airflow 3 are the same."""
