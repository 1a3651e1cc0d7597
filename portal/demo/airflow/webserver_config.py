"""How Airflow 2 serves its pages here; read by Airflow, not by us. The rest is as Airflow has it."""

# browsers keep one cookie of a name for all ports of a machine: without its own, whoever signs in to the Airflow 3
# beside it would be signed out here
SESSION_COOKIE_NAME = "airflow-2-session"
WTF_CSRF_ENABLED = True
WTF_CSRF_TIME_LIMIT = None
