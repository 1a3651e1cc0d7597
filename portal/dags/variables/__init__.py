"""Airflow's variables that the catalogue names."""
