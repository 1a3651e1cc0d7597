"""Clients by deployment and account; the state of each deployment; people's accounts in Airflow."""
