"""What Gatehouse has to do with Airflow itself: what it needs there, and the clients it speaks through."""
