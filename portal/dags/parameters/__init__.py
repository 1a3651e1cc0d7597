"""Parameters of runs: what the DAG declares, the check of values, their words, secrets, the frozen text."""
