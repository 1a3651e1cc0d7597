"""The answers of Airflow 3's API and of FAB's beside it."""
