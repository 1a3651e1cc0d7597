"""The room between Gatehouse and Airflow: clients, the state of deployments, people's accounts there."""
