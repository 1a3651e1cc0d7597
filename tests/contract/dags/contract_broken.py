"""A file that Airflow cannot read."""

raise RuntimeError("the contract's broken file")
