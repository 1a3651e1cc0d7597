"""The audit trail: who asked, who decided, what was done in Airflow, and when."""
