"""A file with a DAG, if Airflow could read it."""

raise RuntimeError("the contract's broken file")
