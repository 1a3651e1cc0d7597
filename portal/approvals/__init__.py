"""Requests of any kind: stages, decisions, the queue, lapsing and withdrawing."""
