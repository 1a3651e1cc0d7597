"""The pages of Airflow's variables."""
