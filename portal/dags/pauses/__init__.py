"""Pausing and unpausing DAGs."""
