"""Requests of any kind: stages, decisions, the queue, lapse and withdrawal."""
