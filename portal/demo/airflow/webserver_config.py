"""Settings of Airflow 2's web server; Airflow reads this file. All other settings have their defaults."""

# browsers share cookies between all ports of a host: with the default name, signing in to the Airflow 3 beside it would
# sign you out here
SESSION_COOKIE_NAME = "airflow-2-session"
WTF_CSRF_ENABLED = True
WTF_CSRF_TIME_LIMIT = None
