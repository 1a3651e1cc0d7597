"""Executes operations, runs the timers, follows runs and DAGs, looks after deployments."""
