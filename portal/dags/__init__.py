"""Runs, pauses and variables of DAGs."""
